// What a million calls leave behind, with a credential that is new each time. Prints a line of JSON; needs --expose-gc.
import { connectInMemory } from './servers.js';
import { median } from './measure.js';
const { calls = 1_000_000 } = JSON.parse(process.argv[2] ?? '{}');
const collect = globalThis.gc;
function heap() {
    for (let turn = 0; turn < 3; turn++)
        collect?.();
    return process.memoryUsage().heapUsed / 1e6;
}
const { call, close } = await connectInMemory('v2', 2000, 'redaction');
const timeOfCalls = async (count) => {
    const times = [];
    for (let turn = 0; turn < count; turn++) {
        const start = performance.now();
        await call();
        times.push((performance.now() - start) * 1000);
    }
    return median(times);
};
const points = [];
let done = 0;
for (const target of [1000, calls / 100, calls / 10, calls].map(Math.round)) {
    for (; done < target - 1000; done++)
        await call();
    const time = await timeOfCalls(1000);
    done += 1000;
    points.push({ calls: done, heap: heap(), call: time });
}
await close();
console.log(JSON.stringify(points));
process.exit();
//# sourceMappingURL=growth.js.map