// Ratios within one process: machines are noisy, and what stands beside each other in time suffers alike.

/** Does the work so many times. */
export type Work = (times: number) => unknown

let sink: unknown
/** What the work came to, which no engine may leave out. */
export const lastResult = (): unknown => sink

export const repeat =
  (fn: () => unknown): Work =>
  (times) => {
    for (let turn = 0; turn < times; turn++) sink = fn()
  }
export const repeatAsync =
  (fn: () => unknown): Work =>
  async (times) => {
    for (let turn = 0; turn < times; turn++) sink = await fn()
  }

export interface Ratio {
  /** Of the work to the base: the median of the rounds, and between which values the middle half of them lies. */
  readonly ratio: number
  readonly low: number
  readonly high: number
  /** Of the base to itself, measured alike. Outside of 0.95 to 1.05 the ratio is void. */
  readonly control: number
  /** Nanoseconds, each once. */
  readonly nanoseconds: number
  readonly base: number
}

export const isVoid = ({ control }: Ratio): boolean => control < 0.95 || control > 1.05

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.floor((sorted.length - 1) * share)] ?? NaN
export const median = (values: readonly number[]): number =>
  quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  )

async function timeOf(work: Work, times: number): Promise<number> {
  const start = performance.now()
  await work(times)
  return performance.now() - start
}

/** How often the base is to be done for a round to take so long. */
async function calibrate(base: Work, milliseconds: number): Promise<number> {
  for (let times = 1; ; times *= 2)
    if ((await timeOf(base, times)) >= milliseconds / 2) return times
}

export interface Options {
  readonly rounds?: number
  /** How long a round is to take. */
  readonly milliseconds?: number
}

async function measureOnce(
  work: Work,
  base: Work,
  { rounds = 31, milliseconds = 10 }: Options,
): Promise<Ratio> {
  const times = await calibrate(base, milliseconds)
  await timeOf(work, times)
  const order = [work, base, base]
  const samples: number[][] = []
  for (let round = 0; round < rounds; round++) {
    const sample: number[] = []
    // Whoever comes first gains or loses by it: each does in turn.
    for (let turn = 0; turn < 3; turn++) {
      const index = (round + turn) % 3
      sample[index] = await timeOf(order[index] as Work, times)
    }
    samples.push(sample)
  }
  const of = (read: (sample: number[]) => number) => samples.map(read).sort((a, b) => a - b)
  const ratios = of(([a = 0, b = 0]) => a / b)
  const nanoseconds = (index: number) =>
    (median(samples.map((sample) => sample[index] ?? NaN)) / times) * 1e6
  return {
    ratio: quantile(ratios, 0.5),
    low: quantile(ratios, 0.25),
    high: quantile(ratios, 0.75),
    control: quantile(
      of(([, b = 0, c = 0]) => c / b),
      0.5,
    ),
    nanoseconds: nanoseconds(0),
    base: nanoseconds(1),
  }
}

/** Again while the control is off, at most five times in all. */
export async function measure(work: Work, base: Work, options: Options = {}): Promise<Ratio> {
  let result = await measureOnce(work, base, options)
  for (let attempt = 1; attempt < 5 && isVoid(result); attempt++)
    result = await measureOnce(work, base, options)
  return result
}
