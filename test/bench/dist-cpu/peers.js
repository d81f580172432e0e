// The same work with peers: a value is set for a request, and read by a handler ten asynchronous frames down. Each peer
// is set up as its documentation recommends. Prints a line of JSON.
import { AsyncLocalStorage } from 'node:async_hooks';
import { fastifyRequestContext, requestContext } from '@fastify/request-context';
import httpContext from 'express-http-context';
import fastify from 'fastify';
import { ClsServiceManager } from 'nestjs-cls';
import { getCredentials, OAuthCredential, runWithCredentials } from 'mcp-credentials';
import { measure } from './measure.js';
const options = JSON.parse(process.argv[2] ?? '{}');
const credential = new OAuthCredential({ accessToken: 'FAKE' });
const headers = { 'x-mcp-cred-access-token': 'FAKE' };
/** Ten frames, each of which awaits the next. */
async function down(frames, read, ...args) {
    return frames === 0 ? read(...args) : await down(frames - 1, read, ...args);
}
const work = (handle) => async (times) => {
    for (let turn = 0; turn < times; turn++)
        await handle();
};
// The header is handed from frame to frame, as extra.requestInfo.headers is by those who do it by hand.
const byHand = work(() => down(10, (given) => given['x-mcp-cred-access-token'], headers));
const storage = new AsyncLocalStorage();
const cls = ClsServiceManager.getClsService();
const functions = [
    [
        'AsyncLocalStorage alone',
        work(() => storage.run(new Map([['credential', credential]]), () => down(10, () => storage.getStore()?.get('credential')))),
    ],
    [
        'mcp-credentials',
        work(() => runWithCredentials(credential, () => down(10, () => getCredentials()))),
    ],
    [
        'express-http-context',
        work(() => new Promise((resolve) => {
            httpContext.middleware({}, {}, () => {
                httpContext.set('credential', credential);
                resolve(down(10, () => httpContext.get('credential')));
            });
        })),
    ],
    [
        'nestjs-cls',
        work(() => cls.run(() => {
            cls.set('credential', credential);
            return down(10, () => cls.get('credential'));
        })),
    ],
];
/** Of an application that has it, to the same application without. */
async function createFastify(use) {
    const app = fastify();
    if (use === 'peer')
        await app.register(fastifyRequestContext);
    app.get('/', async () => {
        if (use === 'nothing')
            return down(10, () => 'FAKE');
        if (use === 'own')
            return runWithCredentials(credential, () => down(10, () => getCredentials('oauth').accessToken));
        requestContext.set('credential', credential);
        return down(10, () => requestContext.get('credential')?.accessToken);
    });
    await app.ready();
    return work(() => app.inject('/'));
}
const results = { functions: {}, frameworks: {} };
for (const [name, given] of functions)
    Object.assign(results['functions'] ?? {}, { [name]: await measure(given, byHand, options) });
const frameworks = [
    [
        '@fastify/request-context, in Fastify',
        await createFastify('peer'),
        await createFastify('nothing'),
    ],
    ['mcp-credentials, in Fastify', await createFastify('own'), await createFastify('nothing')],
];
for (const [name, given, base] of frameworks)
    Object.assign(results['frameworks'] ?? {}, { [name]: await measure(given, base, options) });
console.log(JSON.stringify(results));
process.exit();
//# sourceMappingURL=peers.js.map