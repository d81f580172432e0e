// A whole tool call over the real SDKs: what the adapter and the redaction add to it. Prints a line of JSON.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { measure, median } from './measure.js';
import { connectInMemory, connectOverHttp, createListener, SDKS, VARIANTS } from './servers.js';
const SIZES = [200, 2000, 200_000];
const ADAPTED = ['adapter', 'redaction'];
const options = JSON.parse(process.argv[2] ?? '{}');
const workOf = ({ call }) => async (times) => {
    for (let turn = 0; turn < times; turn++)
        await call();
};
async function ratios(connect, label, given) {
    const results = {};
    for (const bytes of SIZES) {
        const raw = await connect(bytes, 'raw');
        for (const variant of ADAPTED) {
            const adapted = await connect(bytes, variant);
            results[`${label}, ${bytes.toLocaleString('en')} bytes, ${variant}`] = await measure(workOf(adapted), workOf(raw), given);
            await adapted.close();
        }
        await raw.close();
    }
    return results;
}
async function overHttp(sdk) {
    const server = createServer(createListener(sdk)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    const connect = (bytes, variant) => connectOverHttp(sdk, new URL(`http://127.0.0.1:${port}/${variant}/${bytes}`));
    const results = await ratios(connect, `${sdk}, Streamable HTTP`, {
        ...options,
        milliseconds: (options.milliseconds ?? 10) * 5,
    });
    server.closeAllConnections();
    server.close();
    return results;
}
/** 100 clients at a time against a server in a process of its own; the variants take turns. */
async function load(sdk, calls) {
    const child = fork(fileURLToPath(new URL('servers.js', import.meta.url)), [sdk]);
    const [{ port }] = (await once(child, 'message'));
    const cpu = async () => {
        child.send('cpu');
        const [usage] = (await once(child, 'message'));
        return usage.user + usage.system;
    };
    const connectAll = (variant) => Promise.all(Array.from({ length: 100 }, () => connectOverHttp(sdk, new URL(`http://127.0.0.1:${port}/${variant}/2000`))));
    const clients = new Map();
    for (const variant of VARIANTS)
        clients.set(variant, await connectAll(variant));
    const run = async (variant) => {
        const [start, used] = [performance.now(), await cpu()];
        await Promise.all((clients.get(variant) ?? []).map(async ({ call }) => {
            for (let turn = 0; turn < calls / 100; turn++)
                await call();
        }));
        return {
            requestsPerSecond: calls / ((performance.now() - start) / 1000),
            cpu: ((await cpu()) - used) / calls,
        };
    };
    const samples = { raw: [], adapter: [], redaction: [] };
    for (let round = 0; round < 6; round++)
        for (const variant of VARIANTS)
            samples[variant].push(await run(variant));
    child.disconnect();
    const results = VARIANTS.map((variant) => {
        // The first round is for the compiler.
        const measured = samples[variant].slice(1);
        return [
            variant,
            {
                requestsPerSecond: median(measured.map((sample) => sample.requestsPerSecond)),
                cpu: median(measured.map((sample) => sample.cpu)),
            },
        ];
    });
    return Object.fromEntries(results);
}
const inMemory = {};
const http = {};
const loads = {};
for (const sdk of SDKS) {
    Object.assign(inMemory, await ratios((bytes, variant) => connectInMemory(sdk, bytes, variant), `${sdk}, in memory`, options));
    Object.assign(http, await overHttp(sdk));
    loads[sdk] = await load(sdk, options.calls ?? 3000);
}
console.log(JSON.stringify({ inMemory, http, loads }));
process.exit();
//# sourceMappingURL=calls.js.map