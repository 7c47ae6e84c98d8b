import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Security } from './cluster.ts'

const run = promisify(execFile)

const storePassword = 'loopback-only'

/**
 * Makes a certificate for the brokers and one for a client, each signed by itself and trusted by the other side, with
 * the `keytool` that comes with Java.
 */
export async function makeSecurity(folder: string, users: Readonly<Record<string, string>>): Promise<Security> {
  const keyStore = join(folder, 'broker.p12')
  const trustStore = join(folder, 'trusted.p12')
  const clientStore = join(folder, 'client.p12')
  const certificate = join(folder, 'broker.pem')
  const clientCertificate = join(folder, 'client.pem')
  const at = (store: string): string[] => ['-keystore', store, '-storetype', 'PKCS12', '-storepass', storePassword]
  const make = ['-genkeypair', '-alias', 'own', '-keyalg', 'EC', '-groupname', 'secp256r1', '-validity', '3650']
  await Promise.all([
    run('keytool', [...make, '-dname', 'CN=localhost', '-ext', 'san=dns:localhost,ip:127.0.0.1', ...at(keyStore)]),
    run('keytool', [...make, '-dname', 'CN=client', ...at(clientStore)]),
  ])
  await Promise.all([
    run('keytool', ['-exportcert', '-rfc', '-alias', 'own', '-file', certificate, ...at(keyStore)]),
    run('keytool', ['-exportcert', '-rfc', '-alias', 'own', '-file', clientCertificate, ...at(clientStore)]),
  ])
  await run('keytool', ['-importcert', '-noprompt', '-alias', 'client', '-file', clientCertificate, ...at(trustStore)])
  return {
    users,
    keyStore,
    trustStore,
    storePassword,
    certificate: await readFile(certificate, 'utf8'),
    client: { pfx: await readFile(clientStore), passphrase: storePassword },
  }
}
