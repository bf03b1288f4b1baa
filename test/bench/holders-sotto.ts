/** Holders and nothing else: `holders-sotto COUNT [ADDRESSES]`. */
import { SottoNetwork } from './network-sotto.ts'
import type { BenchSide } from './side-types.ts'

export async function open([holders = '', join = '']: readonly string[]): Promise<BenchSide> {
  const network = await SottoNetwork.open(Number(holders), join)
  return { info: network.info, turn: async () => ({}), close: async () => network.close() }
}
