// What the rooms cost beside the same work without them. Prints a line of JSON.
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { fromEnv, OAuthCredential, runWithCredentials, StaticCredential } from 'mcp-credentials';
import { cached } from 'mcp-credentials/cache';
import { withFiles } from 'mcp-credentials/files';
import { createFetch } from 'mcp-credentials/upstream';
import { measure } from './measure.js';
const token = `ya29.FAKE${'a'.repeat(180)}`;
const credential = new OAuthCredential({ accessToken: token });
let sink;
export const lastResult = () => sink;
const repeat = (fn) => async (times) => {
    for (let turn = 0; turn < times; turn++)
        sink = await fn();
};
/** In one scope, which the tool has anyway. */
const inCall = (fn) => (times) => runWithCredentials(credential, async () => repeat(fn)(times));
const server = createServer((_, response) => response.end('{"ok":true}'));
// Longer than any other case takes.
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const origin = `http://127.0.0.1:${server.address().port}`;
const upstream = createFetch({ baseUrl: `${origin}/v1`, allowInsecureLoopback: true });
const answer = new Response('{"ok":true}');
const atOnce = async () => answer;
const inMemory = createFetch({ baseUrl: 'https://api.example/v1', fetch: atOnce });
const headers = { accept: 'application/json' };
const own = { ...headers, authorization: `Bearer ${token}` };
const vault = async (key) => {
    const response = await fetch(`${origin}/v1/secret/data/${key}`);
    await response.text();
    return new StaticCredential({ apiKey: token });
};
const request = { headers: undefined, tool: 'acme' };
const source = cached({ key: ({ tool }) => tool ?? '', load: vault, ttlSeconds: 3600 });
const path = `${tmpdir()}/mcp-credentials-bench-${process.pid}`;
writeFileSync(path, token);
process.env['PLAIN_ACCESS_TOKEN'] = token;
process.env['FILE_ACCESS_TOKEN_FILE'] = path;
const plain = fromEnv('PLAIN_', { type: 'oauth' });
const inFile = fromEnv('FILE_', { type: 'oauth', env: withFiles('FILE_', process.env) });
const CASES = [
    [
        'createFetch to fetch, on loopback',
        inCall(async () => (await upstream('/issues', { headers })).text()),
        inCall(async () => (await fetch(`${origin}/v1/issues`, { headers: own })).text()),
    ],
    [
        'createFetch to nothing but a new Request, without sending it',
        inCall(() => inMemory('/issues', { headers })),
        inCall(async () => atOnce.call(new Request('https://api.example/v1/issues', { headers: own }))),
    ],
    [
        'a cached source to one that asks over HTTP on loopback',
        repeat(() => source(request)),
        repeat(() => vault('acme')),
    ],
    [
        'a cached source to one that has the credential at hand',
        repeat(() => source(request)),
        repeat(async () => credential),
    ],
    [
        'fromEnv with a secret in a file to one in the environment, unchanged',
        repeat(() => inFile(request)),
        repeat(() => plain(request)),
    ],
];
const options = JSON.parse(process.argv[2] ?? '{}');
const results = {};
for (const [name, work, base] of CASES)
    results[name] = await measure(work, base, options);
console.log(JSON.stringify(results));
server.closeAllConnections();
server.close();
rmSync(path);
//# sourceMappingURL=rooms.js.map