// Hono with a credential for each request, to the same application without: in the process, and on loopback. Prints a line
// of JSON.
import { Agent, createServer, get } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { contextStorage, getContext } from 'hono/context-storage';
import { getCredentials, OAuthCredential } from 'mcp-credentials';
import { withCredentials } from 'mcp-credentials/fetch';
import { withCredentials as withNodeCredentials } from 'mcp-credentials/node-http';
import { measure } from './measure.js';
const options = JSON.parse(process.argv[2] ?? '{}');
const credential = new OAuthCredential({ accessToken: 'FAKE' });
const source = () => credential;
/** Ten frames, each of which awaits the next. */
async function down(frames, read) {
    return frames === 0 ? read() : await down(frames - 1, read);
}
function createApp(read) {
    const app = new Hono();
    app.get('/text', async (context) => context.text(await down(10, read)));
    app.get('/JSON', async (context) => context.json({ token: await down(10, read) }));
    return app;
}
const bare = createApp(() => 'FAKE').fetch;
const ours = createApp(() => getCredentials('oauth').accessToken).fetch;
const own = withCredentials((request) => ours(request), source);
const peer = new Hono()
    .use(contextStorage())
    .use(async (context, next) => {
    context.set('credential', credential);
    await next();
})
    .route('/', createApp(() => getContext().var.credential.accessToken)).fetch;
function inProcess(handle, path) {
    const url = `http://bench.example/${path}`;
    return async (times) => {
        for (let turn = 0; turn < times; turn++)
            await (await handle(new Request(url))).text();
    };
}
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const request = (port, path) => new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: `/${path}`, agent }, (response) => {
        response.resume().once('end', resolve);
    }).once('error', reject);
});
async function onLoopback(listener, path) {
    const server = createServer(listener);
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    return async (times) => {
        for (let turn = 0; turn < times; turn++)
            await request(port, path);
    };
}
const results = {};
// Before @hono/node-server puts a Response of its own in the place of the global one.
for (const path of ['text', 'JSON']) {
    const base = inProcess(bare, path);
    results[`contextStorage, ${path}`] = await measure(inProcess(peer, path), base, options);
    results[`mcp-credentials/fetch, ${path}`] = await measure(inProcess(own, path), base, options);
}
const around = withNodeCredentials(getRequestListener(ours), source);
for (const path of ['text', 'JSON']) {
    const base = await onLoopback(getRequestListener(bare), path);
    for (const [name, listener] of [
        ['contextStorage', getRequestListener(peer)],
        ['mcp-credentials/fetch', getRequestListener(own)],
        ['mcp-credentials/node-http', (incoming, outgoing) => void around(incoming, outgoing)],
    ]) {
        const work = await onLoopback(listener, path);
        results[`${name}, ${path}, on loopback`] = await measure(work, base, options);
    }
}
console.log(JSON.stringify(results));
process.exit();
//# sourceMappingURL=http.js.map