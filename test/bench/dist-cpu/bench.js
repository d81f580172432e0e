// npm run bench: runs every measurement in processes of their own, prints the results, and writes docs/results.md
// and docs/chart.svg. With --quick it only shows that everything runs, and writes nothing.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chartOf } from './chart.js';
import { isVoid } from './measure.js';
const isQuick = process.argv.includes('--quick');
const modules = fileURLToPath(new URL('../node_modules/', import.meta.url));
const RUNTIMES = {
    'Node.js 20': `${modules}node-20/bin/node`,
    'Node.js 22': `${modules}node-22/bin/node`,
    'Node.js 24': `${modules}node-24/bin/node`,
    'Node.js 26': `${modules}node-26/bin/node`,
    Bun: `${modules}@oven/bun-linux-x64/bin/bun`,
    Deno: `${modules}@deno/linux-x64-glibc/deno`,
};
function run(name, runtime, settings) {
    console.error(`${name}, ${runtime} …`);
    const flags = { Bun: [], Deno: ['run', '-A'] }[runtime] ?? ['--expose-gc'];
    const script = fileURLToPath(new URL(`${name}.js`, import.meta.url));
    const { stdout, stderr, status } = spawnSync(RUNTIMES[runtime] ?? '', [...flags, script, JSON.stringify(settings)], { encoding: 'utf8' });
    if (status !== 0)
        throw new Error(`${name} failed: ${stderr}`);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}
const short = isQuick ? { rounds: 3, milliseconds: 1, calls: 200 } : {};
const limits = Object.fromEntries(Object.keys(RUNTIMES).map((runtime) => [runtime, run('limit', runtime, short)]));
const MEASURED = ['Node.js 20', 'Node.js 24'];
const calls = Object.fromEntries(MEASURED.map((runtime) => [runtime, run('calls', runtime, short)]));
const http = Object.fromEntries(MEASURED.map((runtime) => [runtime, run('http', runtime, short)]));
const peers = run('peers', 'Node.js 24', short);
const redaction = run('redaction', 'Node.js 24', short);
const rooms = run('rooms', 'Node.js 24', short);
const accounts = run('accounts', 'Node.js 24', short);
const growth = run('growth', 'Node.js 24', isQuick ? { calls: 200_000 } : {});
const weight = run('weight', 'Node.js 24', short);
const number = (value) => value >= 100
    ? Math.round(value).toLocaleString('en')
    : value >= 10
        ? value.toFixed(1)
        : value.toFixed(2);
const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
const show = (result, budget = Infinity) => {
    if (result === undefined)
        return '';
    const ratio = result.ratio.toFixed(2);
    if (isVoid(result))
        return `(${ratio})`;
    return `${Number(ratio) > budget ? `**${ratio}**` : ratio} (${result.low.toFixed(2)} to ${result.high.toFixed(2)})`;
};
// Section by section, the budgets of the design: for Node.js 20 and 22, then for 24 and 26.
const BUDGETS = {
    'runWithCredentials, sync': [1.6, 1.1],
    'runWithCredentials, 1 await': [1.5, 1.2],
    getCredentials: [1.2, 1.2],
    'parseHeaders, Web Headers': [3.0, 3.0],
    'parseHeaders, a record, to zod': [0.5, 0.5],
    'fromEnv, unchanged': [1.2, 1.2],
    'mcp-credentials/fetch, text': [1.3, 1.3],
    'mcp-credentials/fetch, JSON': [1.3, 1.3],
    'mcp-credentials/fetch, text, on loopback': [1.3, 1.3],
    'mcp-credentials/fetch, JSON, on loopback': [1.3, 1.3],
};
const SCRUBBING = {
    '1 MB of prose, three tokens of 40 characters': '8',
    '1 MB of READMEs': '60',
    '1 MB of JSON full of escapes': '20',
    '1 MB of nothing but %XX': '50 ms',
    '1 MB of JSON with hashes, a password and a secret of 8 characters': '50 ms',
    '2 KB of JSON with a hash, a token of 128 characters that is new': '10 µs',
    '2 KB of JSON with a hash, a token of 40 characters that is new': '40 µs',
    '2 KB of JSON with a hash, a password that is new': '80 µs',
};
const names = Object.keys(limits['Node.js 20'] ?? {});
const limitRows = names.map((name) => [
    name,
    BUDGETS[name]?.join(', ') ?? '',
    ...Object.keys(RUNTIMES).map((runtime, index) => show(limits[runtime]?.[name], BUDGETS[name]?.[Math.floor(index / 2)])),
]);
const httpRows = Object.keys(http['Node.js 20'] ?? {}).map((name) => [
    name,
    BUDGETS[name]?.join(', ') ?? '',
    ...MEASURED.map((runtime, index) => show(http[runtime]?.[name], BUDGETS[name]?.[index])),
]);
const callRows = (kind) => Object.keys(calls['Node.js 20']?.[kind] ?? {}).map((name) => {
    const cells = MEASURED.map((runtime) => calls[runtime]?.[kind][name]);
    return [
        name,
        ...cells.flatMap((cell) => [
            show(cell),
            cell
                ? `${number(cell.base / 1000)} µs, + ${number((cell.nanoseconds - cell.base) / 1000)}`
                : '',
        ]),
    ];
});
const loadRows = MEASURED.flatMap((runtime) => Object.entries(calls[runtime]?.loads ?? {}).flatMap(([sdk, variants]) => Object.entries(variants).map(([variant, { requestsPerSecond, cpu }]) => [
    runtime,
    sdk,
    variant,
    number(requestsPerSecond),
    `${number(cpu)} µs`,
])));
const ratioRows = (ratios) => Object.entries(ratios).map(([name, result]) => [
    name,
    show(result),
    `${number(result.nanoseconds - result.base)} ns`,
]);
const redactionRows = (rows) => rows.map(({ name, milliseconds, each }) => [
    name,
    `${number(milliseconds)} ms`,
    `${number(each)} ns`,
]);
const sections = [
    `# Results

Written by \`npm run bench\`. Each number is a ratio within one process: the two kinds of work take turns, in rotated order,
for ${short.rounds ?? 31} rounds; what stands here is the median, and between which values the middle half of the rounds lies. The base is
measured against itself in the same rounds; where that control is not between 0.95 and 1.05 after five attempts, the ratio
is void and stands alone in parentheses. Machines differ and are noisy: compare ratios, and take the times for a scale.`,
    `## The limit

What this package does, to the least code that does the same: raw \`AsyncLocalStorage\`; five reads of headers with
\`JSON.parse\`, \`Date.parse\` and \`split\`, without checking anything, or a zod 4 schema of the same checks; reads of the same
variables by name. The budgets are for
Node.js 20 and 22, then for 24 and 26, and bold is what exceeds them; Bun and Deno are not gated, since their controls are too noisy.

${table(['', 'budgets', ...Object.keys(RUNTIMES)], limitRows)}`,
    `## Peers

A value is set for a request, and read by a handler ten asynchronous frames down, on Node.js 24. To handing a header from
frame to frame by hand, as with \`extra.requestInfo.headers\`:

${table(['', 'ratio', 'adds'], ratioRows(peers.functions))}

To the same application without, injected without a socket:

${table(['', 'ratio', 'adds'], ratioRows(peers.frameworks))}

To the same Hono application without: \`app.fetch\` in the process, and over @hono/node-server on loopback, where a client
that keeps its connection is measured along.

${table(['', 'budgets', ...MEASURED], httpRows)}

The adapters of this package keep the scope until the response was read; \`contextStorage\` ends, or lets go of, its own with
the handler.`,
    `## The whole way

A tool call over the real SDKs (v1 1.32.2, v2 2.4.0), client and server in one process, to the same call without the
adapter: with it but without redaction, and with redaction. Each call has a credential that is new, parsed from headers.
Beside the ratio stand the call without and what is added.

${table(['in memory', ...MEASURED.flatMap((runtime) => [runtime, 'time'])], callRows('inMemory'))}

${table(['Streamable HTTP on loopback', ...MEASURED.flatMap((runtime) => [runtime, 'time'])], callRows('http'))}

100 clients at a time, a result of 2,000 bytes, the server in a process of its own:

${table(['', 'SDK', '', 'requests a second', 'processor time of a call'], loadRows)}`,
    `## redactSecrets

On Node.js 24, with nothing to be found. To one \`String.includes\` over the same text; bold is what exceeds its budget:

${table(['', 'budget', 'ratio', 'takes'], Object.entries(redaction.budgets).map(([name, result]) => [
        name,
        SCRUBBING[name] ?? '',
        show(result, Number.parseFloat(SCRUBBING[name]?.replace(/.* ms/, '') ?? '')),
        `${number(result.nanoseconds / 1e6)} ms`,
    ]))}

A credential that is new, without what it takes to make it:

${table(['', 'budget', 'takes', 'control'], Object.entries(redaction.news).map(([name, result]) => [
        name,
        SCRUBBING[name] ?? '',
        `${number((result.nanoseconds - result.base) / 1000)} µs`,
        result.control.toFixed(2),
    ]))}

${table(['a text', 'takes', 'a character'], redactionRows(redaction.lengths))}

${table(['credentials', 'take', 'a secret'], redactionRows(redaction.secrets))}`,
    `## Other rooms

On Node.js 24, to the same work without them:

${table(['', 'ratio', 'time'], Object.entries(rooms).map(([name, result]) => [
        name,
        show(result),
        `${number(result.base / 1000)} µs, now ${number(result.nanoseconds / 1000)}`,
    ]))}`,
    `## Accounts

On Node.js 24, to the least code: JSON, AES-GCM and base64url with a key that was imported once. It binds a text to nobody,
has no lease, and checks nothing:

${table(['', 'ratio', 'time'], Object.entries(accounts).map(([name, result]) => [
        name,
        show(result),
        `${number(result.base / 1000)} µs, now ${number(result.nanoseconds / 1000)}`,
    ]))}`,
    `## Growth

Calls in memory on SDK v2 and Node.js 24, each with a credential of its own, results of 2 KB with redaction:

${table(['calls', 'heap after a collection', 'a call'], growth.map(({ calls: count, heap, call }) => [
        count.toLocaleString('en'),
        `${heap.toFixed(1)} MB`,
        `${number(call)} µs`,
    ]))}`,
    `## Weight

${table(['bundled with esbuild', 'minified', 'gzipped', 'without its texts'], Object.entries(weight.bundles).map(([name, { minified, gzipped, withoutTexts }]) => [
        name,
        ...[minified, gzipped, withoutTexts].map((bytes) => `${(bytes / 1000).toFixed(1)} KB`),
    ]))}

${table(['installed', 'packages', 'size'], Object.entries(weight.installations).map(([name, { packages, kilobytes }]) => [
        name,
        `${packages}`,
        `${number(kilobytes)} KB`,
    ]))}

${table(['imported on Node.js 24', 'adds to an empty script'], Object.entries(weight.imports).map(([name, milliseconds]) => [
        name,
        `${milliseconds.toFixed(1)} ms`,
    ]))}`,
];
const notes = fileURLToPath(new URL('../NOTES.md', import.meta.url));
const text = `${[...sections, readFileSync(notes, 'utf8').trim()].join('\n\n')}\n`;
console.log(text);
const bars = (runtime, index) => Object.entries(BUDGETS).map(([name, budgets]) => ({
    name: `${name}, ${runtime}`,
    ratio: limits[runtime]?.[name]?.ratio ?? NaN,
    budget: budgets[index],
}));
const call = (runtime, kind, name, budget) => ({
    name: `${name.replace(/, 2,000 bytes, redaction/, '')}, ${runtime}`,
    ratio: calls[runtime]?.[kind][name]?.ratio ?? NaN,
    budget,
});
const inMemory = 'v2, in memory, 2,000 bytes, redaction';
const overHttp = 'v2, Streamable HTTP, 2,000 bytes, redaction';
const chart = chartOf('What it costs: ratios to the same work without this package', [
    ...bars('Node.js 20', 0),
    ...bars('Node.js 24', 1),
    call('Node.js 20', 'inMemory', inMemory, 1.3),
    call('Node.js 24', 'inMemory', inMemory, 1.5),
    call('Node.js 20', 'http', overHttp, 1.05),
    call('Node.js 24', 'http', overHttp, 1.05),
]);
if (!isQuick) {
    writeFileSync(fileURLToPath(new URL('../../../docs/results.md', import.meta.url)), text);
    writeFileSync(fileURLToPath(new URL('../../../docs/chart.svg', import.meta.url)), chart);
}
//# sourceMappingURL=bench.js.map