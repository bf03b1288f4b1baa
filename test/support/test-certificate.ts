/** A self-signed certificate (P-256) for `sotto.test` and 127.0.0.1, good for a hundred years and for nothing but tests. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const CERT =
  'MIIBnTCCAUSgAwIBAgIUL7VJKEF656aqkBmnNM2t1S7X1YwwCgYIKoZIzj0EAwIwFTETMBEGA1UEAwwKc290dG8udGVzdDAgFw0y' +
  'NjExMjIwMTQ2MjBaGA8yMTI2MTAyOTAxNDYyMFowFTETMBEGA1UEAwwKc290dG8udGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEH' +
  'A0IABLU1pq+LdUiqiZj/3Yna1zZYKmMJxyfz3cV6oJYoSZmfmwl+3qDqbk82wZ6gyU8oL3ja3y9FQcLBCzG8Z7A7+3yjcDBuMB0G' +
  'A1UdDgQWBBSVCH99tArJOQ/ZN8k28wTTc8kB9TAfBgNVHSMEGDAWgBSVCH99tArJOQ/ZN8k28wTTc8kB9TAPBgNVHRMBAf8EBTAD' +
  'AQH/MBsGA1UdEQQUMBKCCnNvdHRvLnRlc3SHBH8AAAEwCgYIKoZIzj0EAwIDRwAwRAIgVIRSxD8arO661zXm2mZ+OI3DR9v3haOW' +
  'nmDCFfIF63gCIFXIhXJX9SpKZV4hOEXG4ezLmflQlLFld4Qd2SuW/drX'
const KEY =
  'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgU0RzcaKssLobJmzr74goScFUwf0SQknyuLErPyHxZPWhRANCAAS1' +
  'Naavi3VIqomY/92J2tc2WCpjCccn893FeqCWKEmZn5sJft6g6m5PNsGeoMlPKC942t8vRUHCwQsxvGewO/t8'

const pem = (label: string, base64: string): string =>
  `-----BEGIN ${label}-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`

export const TEST_CERT = pem('CERTIFICATE', CERT)

/** The two files, as a configuration names them. */
export async function writeTestCertificate(directory: string): Promise<{ cert: string; key: string }> {
  const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  await writeFile(files.cert, TEST_CERT)
  await writeFile(files.key, pem('PRIVATE KEY', KEY))
  return files
}
