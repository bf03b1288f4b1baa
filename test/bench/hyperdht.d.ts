/** The part of hyperdht, which comes without types, that the benches use. */
declare module 'hyperdht' {
  interface KeyPair {
    readonly publicKey: Uint8Array
    readonly secretKey: Uint8Array
  }
  export default class DHT {
    static keyPair(seed?: Uint8Array): KeyPair
    fullyBootstrapped(): Promise<void>
    mutablePut(keyPair: KeyPair, value: Uint8Array, options: { readonly seq: number }): Promise<unknown>
    mutableGet(publicKey: Uint8Array, options: { readonly latest: boolean }): Promise<object | null>
  }
}

declare module 'hyperdht/testnet.js' {
  import type DHT from 'hyperdht'
  interface Address {
    readonly host: string
    readonly port: number
  }
  interface Testnet {
    readonly bootstrap: readonly Address[]
    createNode(): DHT
    destroy(): Promise<void>
  }
  export default function createTestnet(
    size: number,
    options?: { readonly bootstrap?: readonly Address[] },
  ): Promise<Testnet>
}
