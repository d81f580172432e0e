// What the package weighs beside its peers: what a bundle gets, what an installation brings, what an import takes.
// Prints a line of JSON.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { parse } from 'acorn';
import { full } from 'acorn-walk';
import { build } from 'esbuild';
import { median } from './measure.js';
const root = fileURLToPath(new URL('../../../', import.meta.url));
const gzip = (text) => gzipSync(text).length;
function withoutTexts(code) {
    const ranges = [];
    full(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }), (node) => {
        const isText = node.type === 'TemplateElement' ||
            (node.type === 'Literal' && /^["']/.test(code[node.start] ?? ''));
        if (isText && node.end - node.start > 20)
            ranges.push([node.start, node.end]);
    });
    let result = '';
    let from = 0;
    for (const [start, end] of ranges.sort(([a], [b]) => a - b)) {
        result += code.slice(from, start);
        from = end;
    }
    return result + code.slice(from);
}
async function bundleOf(contents) {
    const options = {
        bundle: true,
        minify: true,
        write: false,
        format: 'esm',
        platform: 'node',
        logLevel: 'error',
    };
    const { outputFiles } = await build({
        ...options,
        stdin: { contents, resolveDir: fileURLToPath(new URL('..', import.meta.url)) },
    });
    const text = outputFiles[0]?.text ?? '';
    return { minified: text.length, gzipped: gzip(text), withoutTexts: gzip(withoutTexts(text)) };
}
const bundles = {};
for (const [name, contents] of [
    ['parseHeaders', `export { parseHeaders } from 'mcp-credentials'`],
    [
        'parseEnv, parseHeaders, runWithCredentials, getCredentials',
        `export { parseEnv, parseHeaders, runWithCredentials, getCredentials } from 'mcp-credentials'`,
    ],
    ['everything', `export * from 'mcp-credentials'`],
    [
        'everything and the MCP adapter',
        `export * from 'mcp-credentials'; export * from 'mcp-credentials/mcp'`,
    ],
    ['express-http-context', `import context from 'express-http-context'; export default context`],
    [
        '@fastify/request-context',
        `import * as context from '@fastify/request-context'; export default context`,
    ],
    ['hono/context-storage', `export * from 'hono/context-storage'`],
])
    bundles[name] = await bundleOf(contents);
function sizeOf(path) {
    if (!statSync(path).isDirectory())
        return statSync(path).size;
    return readdirSync(path).reduce((sum, name) => sum + sizeOf(`${path}/${name}`), 0);
}
/** What `npm install` of this alone brings. */
function install(name) {
    const folder = mkdtempSync(`${tmpdir()}/mcp-credentials-install-`);
    writeFileSync(`${folder}/package.json`, '{ "private": true }');
    const npm = (args, cwd = folder) => execFileSync('npm', [...args.split(' '), '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd, encoding: 'utf8' });
    try {
        const what = name === 'mcp-credentials'
            ? `${folder}/${npm(`pack --ignore-scripts --silent --pack-destination ${folder}`, root).trim()}`
            : name;
        npm(`install ${what}`);
        const packages = npm('ls --all --parseable').trim().split('\n').length - 1;
        return { packages, kilobytes: Math.round(sizeOf(`${folder}/node_modules`) / 1000) };
    }
    finally {
        rmSync(folder, { recursive: true });
    }
}
const installations = Object.fromEntries(['mcp-credentials', 'express-http-context', '@fastify/request-context', 'hono', 'nestjs-cls'].map((name) => [name, install(name)]));
const IMPORTS = [
    'an empty file',
    'mcp-credentials',
    'mcp-credentials/mcp',
    'express-http-context',
    '@fastify/request-context',
    'hono/context-storage',
    'nestjs-cls',
];
/** Milliseconds that an import adds to a script that does nothing. They take turns. */
function importTimes() {
    const run = (script) => {
        const start = performance.now();
        spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
            cwd: fileURLToPath(new URL('..', import.meta.url)),
        });
        return performance.now() - start;
    };
    const specifierOf = (name) => (name === 'an empty file' ? 'data:text/javascript,' : name);
    const rounds = Array.from({ length: 21 }, () => [
        run(''),
        ...IMPORTS.map((name) => run(`import '${specifierOf(name)}'`)),
    ]);
    return Object.fromEntries(IMPORTS.map((name, index) => [
        name,
        median(rounds.map((round) => (round[index + 1] ?? NaN) - (round[0] ?? NaN))),
    ]));
}
console.log(JSON.stringify({ bundles, installations, imports: importTimes() }));
//# sourceMappingURL=weight.js.map