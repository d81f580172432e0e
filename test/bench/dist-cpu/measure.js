// Ratios within one process: machines are noisy, and what stands beside each other in time suffers alike.
export const isVoid = ({ control }) => control < 0.95 || control > 1.05;
const quantile = (sorted, share) => sorted[Math.floor((sorted.length - 1) * share)] ?? NaN;
export const median = (values) => quantile([...values].sort((a, b) => a - b), 0.5);
async function timeOf(work, times) {
    const start = process.cpuUsage();
    await work(times);
    const used = process.cpuUsage(start);
    return (used.user + used.system) / 1000;
}
/** How often the base is to be done for a round to take so long. */
async function calibrate(base, milliseconds) {
    for (let times = 1;; times *= 2)
        if ((await timeOf(base, times)) >= milliseconds / 2)
            return times;
}
async function measureOnce(work, base, { rounds = 31, milliseconds = 10 }) {
    const times = await calibrate(base, milliseconds);
    await timeOf(work, times);
    const order = [work, base, base];
    const samples = [];
    for (let round = 0; round < rounds; round++) {
        const sample = [];
        // Whoever comes first gains or loses by it: each does in turn.
        for (let turn = 0; turn < 3; turn++) {
            const index = (round + turn) % 3;
            sample[index] = await timeOf(order[index], times);
        }
        samples.push(sample);
    }
    const of = (read) => samples.map(read).sort((a, b) => a - b);
    const ratios = of(([a = 0, b = 0]) => a / b);
    const nanoseconds = (index) => (median(samples.map((sample) => sample[index] ?? NaN)) / times) * 1e6;
    return {
        ratio: quantile(ratios, 0.5),
        low: quantile(ratios, 0.25),
        high: quantile(ratios, 0.75),
        control: quantile(of(([, b = 0, c = 0]) => c / b), 0.5),
        nanoseconds: nanoseconds(0),
        base: nanoseconds(1),
    };
}
/** Again while the control is off, at most five times in all. */
export async function measure(work, base, options = {}) {
    let result = await measureOnce(work, base, options);
    for (let attempt = 1; attempt < 5 && isVoid(result); attempt++)
        result = await measureOnce(work, base, options);
    return result;
}
//# sourceMappingURL=measure.js.map