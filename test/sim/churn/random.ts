/** Randomness by the billion: sfc32 in closed variables, seeded from the house's generator. */
import { seededRng } from '../../../src/lib/rng.ts'

/** Uniform in [0, 1), 32 bits. */
export type Random = () => number

/** Streams of different `path`s have nothing to do with one another. */
export function randomOf(seed: number, ...path: readonly number[]): Random {
  let mixed = seed >>> 0
  for (const step of path) mixed = Math.imul(mixed ^ (step + 0x9e3779b9), 0x85ebca6b) ^ (mixed >>> 13)
  const words = new Uint32Array(seededRng(mixed).bytes(16).buffer)
  let [a = 0, b = 0, c = 0, counter = 0] = words
  return () => {
    const t = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + t) | 0
    return (t >>> 0) / 4_294_967_296
  }
}

/** Normal by the sum of twelve uniforms: no tails beyond six deviations, which nobody's evening has. */
export function normal(random: Random, mean: number, deviation: number): number {
  let sum = -6
  for (let i = 0; i < 12; i++) sum += random()
  return mean + deviation * sum
}

/** Exponential. */
export function exponential(random: Random, mean: number): number {
  return -mean * Math.log(1 - random())
}
