/** The part of hyperdht, which comes without types, that the put bench uses. */
declare module 'hyperdht' {
  interface KeyPair {
    readonly publicKey: Uint8Array
    readonly secretKey: Uint8Array
  }
  export default class DHT {
    static keyPair(seed?: Uint8Array): KeyPair
    fullyBootstrapped(): Promise<void>
    mutablePut(keyPair: KeyPair, value: Uint8Array, options: { readonly seq: number }): Promise<unknown>
  }
}

declare module 'hyperdht/testnet.js' {
  import type DHT from 'hyperdht'
  interface Testnet {
    createNode(): DHT
    destroy(): Promise<void>
  }
  export default function createTestnet(size: number): Promise<Testnet>
}
