import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

export interface SigningKey {
  kid: string
  alg: string
  privateKey: CryptoKey
  publicKey: CryptoKey
}

/** A key pair of an issuer. */
export async function aSigningKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  return { kid, alg, ...(await generateKeyPair(alg, { extractable: true })) }
}

/** A real identity provider on a real port, as far as resource servers see it. */
export async function startIssuer(keys: SigningKey[]) {
  const state = { keys, away: false, reads: 0 }
  const answer: RequestListener = (request, response) => {
    if (state.away) {
      response.writeHead(502).end('away')
      return
    }
    const isDiscovery = request.url === '/.well-known/openid-configuration'
    if (!isDiscovery) state.reads += 1
    const told = isDiscovery ? Promise.resolve({ issuer: url, jwks_uri: `${url}/keys` }) : keySet()
    void told.then((body) => response.end(JSON.stringify(body)))
  }
  const keySet = async () => ({
    keys: await Promise.all(
      state.keys.map(async ({ kid, alg, publicKey }) => ({
        ...(await exportJWK(publicKey)),
        kid,
        alg,
        use: 'sig'
      }))
    )
  })
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  after(() => {
    server.close()
    server.closeAllConnections()
  })

  /** A token that is right, but for what is given; undefined leaves a claim out. */
  function sign(claims: Record<string, unknown> = {}, key = state.keys[0]): Promise<string> {
    if (key === undefined) throw new Error('the issuer has no key')
    const now = Math.floor(Date.now() / 1000)
    const payload = {
      iss: url,
      aud: 'bulkhead',
      sub: 'anna',
      exp: now + 300,
      scope: 'read submit',
      ...claims
    }
    return new SignJWT(payload).setProtectedHeader({ alg: key.alg, kid: key.kid }).sign(key.privateKey)
  }
  return { url, state, sign }
}
