/** A self-signed certificate for the TLS link of the composed reference: the least of X.509 that OpenSSL takes. */
import { generateKeyPairSync, sign } from 'node:crypto'

const SEQUENCE = 0x30
const INTEGER = 0x02
const BIT_STRING = 0x03
const UTC_TIME = 0x17
const ED25519 = Buffer.from('300506032b6570', 'hex')
const NO_NAME = Buffer.from('3000', 'hex')

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const length = body.length < 0x80 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

/** Key and certificate as PEM. Nobody verifies it: what is measured is the link. */
export function selfSigned(): { readonly key: string; readonly cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const time = (text: string): Buffer => der(UTC_TIME, Buffer.from(text))
  const validity = der(SEQUENCE, time('200101000000Z'), time('491231235959Z'))
  const owner = publicKey.export({ type: 'spki', format: 'der' })
  const facts = der(SEQUENCE, der(INTEGER, Buffer.from([1])), ED25519, NO_NAME, validity, NO_NAME, owner)
  const signature = der(BIT_STRING, Buffer.from([0]), sign(null, facts, privateKey))
  const lines =
    der(SEQUENCE, facts, ED25519, signature)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  const cert = ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert }
}
