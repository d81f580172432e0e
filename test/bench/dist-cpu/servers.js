// One tool on both SDKs, as the official guides have it, with the adapter and without.
import { createServer as createHttpServer } from 'node:http';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InMemoryTransport as InMemoryV1 } from '@modelcontextprotocol/sdk/inMemory.js';
import { McpServer as ServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { Client as ClientV2, InMemoryTransport as InMemoryV2, StreamableHTTPClientTransport as HttpV2, } from '@modelcontextprotocol/client';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer as ServerV2 } from '@modelcontextprotocol/server';
import { getCredentials, parseHeaders } from 'mcp-credentials';
import { withCredentials } from 'mcp-credentials/mcp';
export const SDKS = ['v1', 'v2'];
/** Without the adapter; with it, but without redaction; with both. */
export const VARIANTS = ['raw', 'adapter', 'redaction'];
const TOKEN = `ya29.FAKE-${'a'.repeat(120)}-`;
let serial = 0;
/** The headers that a gateway adds; their token is another one each time. */
export const freshHeaders = () => ({
    'x-mcp-cred-access-token': `${TOKEN}${++serial}`,
    'x-mcp-cred-scopes': 'repo read:user',
    'x-mcp-cred-extra': '{"tenant":"acme"}',
    'x-mcp-cred-expires-at': '2099-05-04T12:00:00Z',
});
// In memory there are no headers: a call gets those that a gateway would have sent.
const source = ({ headers }) => parseHeaders(headers ?? freshHeaders(), 'oauth');
const WORDS = 'The quick brown fox jumps over the lazy dog, and answers {"id":123,"name":"x"} at https://example.com/a?b=c ';
const texts = new Map();
/** Of so many bytes. */
export function textOf(bytes) {
    const text = texts.get(bytes) ?? WORDS.repeat(Math.ceil(bytes / WORDS.length)).slice(0, bytes);
    texts.set(bytes, text);
    return text;
}
/** A tool that answers with a text of so many bytes. */
function createTool(bytes, variant) {
    const text = textOf(bytes);
    return async () => {
        if (variant !== 'raw')
            getCredentials('oauth');
        return { content: [{ type: 'text', text }] };
    };
}
const options = (variant) => (variant === 'adapter' ? { redact: false } : {});
function createV1(bytes, variant) {
    const server = new ServerV1({ name: 'bench', version: '1.0.0' });
    server.registerTool('tool', {}, createTool(bytes, variant));
    return variant === 'raw' ? server : withCredentials(server, source, options(variant));
}
function createV2(bytes, variant) {
    const server = new ServerV2({ name: 'bench', version: '1.0.0' });
    server.registerTool('tool', {}, createTool(bytes, variant));
    return variant === 'raw' ? server : withCredentials(server, source, options(variant));
}
export const createServer = (sdk, bytes, variant) => sdk === 'v1' ? createV1(bytes, variant) : createV2(bytes, variant);
const tool = { name: 'tool', arguments: {} };
const info = { name: 'bench', version: '1.0.0' };
export async function connectInMemory(sdk, bytes, variant) {
    if (sdk === 'v1') {
        const [near, far] = InMemoryV1.createLinkedPair();
        await createV1(bytes, variant).connect(far);
        const client = new ClientV1(info);
        await client.connect(near);
        return { call: () => client.callTool(tool), close: () => client.close() };
    }
    const [near, far] = InMemoryV2.createLinkedPair();
    await createV2(bytes, variant).connect(far);
    const client = new ClientV2(info);
    await client.connect(near);
    return { call: () => client.callTool(tool), close: () => client.close() };
}
/** Stateless servers over Streamable HTTP, one path for each variant and size: /raw/2000, say. */
export function createListener(sdk) {
    const handlers = new Map();
    const handlerOf = (url) => {
        const known = handlers.get(url);
        if (known)
            return known;
        const [, variant = '', bytes] = url.split('/');
        const make = sdk === 'v1' ? listenerOfV1 : listenerOfV2;
        const handler = make(Number(bytes), variant);
        handlers.set(url, handler);
        return handler;
    };
    return (request, response) => handlerOf(request.url ?? '')(request, response);
}
const listenerOfV1 = (bytes, variant) => async (request, response) => {
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on('close', () => void transport.close());
    await createV1(bytes, variant).connect(transport);
    await transport.handleRequest(request, response);
};
function listenerOfV2(bytes, variant) {
    const handle = toNodeHandler(createMcpHandler(() => createV2(bytes, variant)));
    return (request, response) => void handle(request, response);
}
const withFresh = ({ headers }) => ({
    ...Object.fromEntries(new Headers(headers)),
    ...freshHeaders(),
});
/** A client whose every request has a token of its own. */
export async function connectOverHttp(sdk, url) {
    const withHeaders = (address, init = {}) => fetch(address, { ...init, headers: withFresh(init) });
    if (sdk === 'v1') {
        const client = new ClientV1(info);
        await client.connect(new HttpV1(url, { fetch: withHeaders }));
        return { call: () => client.callTool(tool), close: () => client.close() };
    }
    const client = new ClientV2(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    await client.connect(new HttpV2(url, { fetch: withHeaders }));
    return { call: () => client.callTool(tool), close: () => client.close() };
}
/** Calls of SDK v2 without sockets and without a client: what a client of 2026 sent once is handed to the handler again. */
export async function createFetchCaller(variant) {
    const handler = createMcpHandler(() => createV2(2000, variant));
    const sent = [];
    const client = new ClientV2(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    const url = new URL('http://127.0.0.1/mcp');
    const send = (address, init = {}) => {
        sent.push(init);
        return handler.fetch(new Request(address, { ...init, headers: withFresh(init) }));
    };
    await client.connect(new HttpV2(url, { fetch: send }));
    await client.callTool(tool);
    const { method, headers, body } = sent.at(-1) ?? {};
    const plain = Object.fromEntries(new Headers(headers));
    const call = async () => {
        const init = { method, body, headers: { ...plain, ...freshHeaders() } };
        return (await handler.fetch(new Request(url, init))).text();
    };
    if (!(await call()).includes(textOf(40)))
        throw new Error('No answer.');
    return { call, close: () => client.close() };
}
// As a process of its own: serves the SDK that it is told, and reports the processor time that it has used, when asked.
if (process.send) {
    const server = createHttpServer(createListener(process.argv[2]));
    server.listen(0, '127.0.0.1', () => process.send?.(server.address()));
    process.on('message', () => process.send?.(process.cpuUsage()));
    process.on('disconnect', () => process.exit());
}
//# sourceMappingURL=servers.js.map