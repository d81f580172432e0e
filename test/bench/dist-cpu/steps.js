// What each step of a tool call costs, and a whole call without sockets, where each request has a server of its own. Prints a
// line of JSON.
import { createAdapter, OAuthCredential, parseHeaders, runWithCredentials } from 'mcp-credentials';
import { redactSecrets } from 'mcp-credentials/redact';
import { createToolRunner } from 'mcp-credentials/tool';
import { measure } from './measure.js';
import { createFetchCaller, createServer, freshHeaders, SDKS, textOf, VARIANTS } from './servers.js';
let sink;
export const lastResult = () => sink;
const repeat = (fn) => (times) => {
    for (let turn = 0; turn < times; turn++)
        sink = fn();
};
const repeatAsync = (fn) => async (times) => {
    for (let turn = 0; turn < times; turn++)
        sink = await fn();
};
const credential = new OAuthCredential({ accessToken: 'FAKE-bench-0123456789abcdef' });
let serial = 0;
const freshCredential = () => new OAuthCredential({ accessToken: `FAKE-${++serial}-${'a'.repeat(120)}` });
const request = { tool: 'tool', method: 'tools/call', headers: undefined };
const result = { content: [{ type: 'text', text: textOf(2000) }] };
const tool = async () => result;
const source = () => credential;
const ask = createAdapter(source);
const runTool = createToolRunner(source, { redact: false });
/** To the least that has to be done without: nothing, where it is left out. */
const STEPS = [
    ...SDKS.map((sdk) => [
        `wrapping a server of ${sdk}`,
        repeat(() => createServer(sdk, 2000, 'redaction')),
        repeat(() => createServer(sdk, 2000, 'raw')),
    ]),
    ['parsing headers', repeat(() => parseHeaders(freshHeaders(), 'oauth')), repeat(freshHeaders)],
    ['asking a source', repeatAsync(() => ask(request)), repeatAsync(async () => credential)],
    ['a scope', repeatAsync(() => runWithCredentials(credential, tool)), repeatAsync(tool)],
    [
        'scrubbing 2,000 bytes of the secrets of a new credential',
        repeat(() => redactSecrets(result, [freshCredential()])),
        repeat(freshCredential),
    ],
    [
        'a call of a runner, without scrubbing',
        repeatAsync(() => runTool(request, tool)),
        repeatAsync(tool),
    ],
];
const options = JSON.parse(process.argv[2] ?? '{}');
const steps = {};
for (const [name, work, base] of STEPS)
    steps[name] = await measure(work, base, options);
const withoutSockets = {};
const raw = await createFetchCaller('raw');
for (const variant of VARIANTS) {
    const { call } = await createFetchCaller(variant);
    const work = repeatAsync(call);
    withoutSockets[variant] = await measure(work, repeatAsync(raw.call), options);
}
console.log(JSON.stringify({ steps, withoutSockets }));
//# sourceMappingURL=steps.js.map