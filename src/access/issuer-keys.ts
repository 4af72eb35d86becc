import { createLocalJWKSet, errors, type CryptoKey, type JWTHeaderParameters, type LocalJWKSet } from 'jose'
import { Agent } from 'undici'
import { z } from 'zod'
import type { Context } from '../context.ts'
import { isSecure } from '../settings.ts'

/** After this long the keys are read again, beside the requests: what the issuer withdrew is not taken for longer. */
const freshMs = 600_000
/** Least time between two reads, so that tokens with invented key ids can't make us flood the issuer. */
const pauseMs = 5_000
const answerMs = 5_000
const mostBytes = 1_048_576

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url() })
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(1000) })

/** The key with which a token says that it is signed may exist, but the issuer can't be asked. */
export class IssuerAway extends Error {}

/**
 * The public keys of the issuer. Those that are known go on while it is away; it is asked for others only when a token
 * names one.
 */
export class IssuerKeys {
  readonly #context: Context
  readonly #agent = new Agent({ maxResponseSize: mostBytes, headersTimeout: answerMs, bodyTimeout: answerMs })
  #known: LocalJWKSet | null = null
  #readAtMs = -Infinity
  #triedAtMs = -Infinity
  #reading: Promise<void> | null = null

  constructor(context: Context) {
    this.#context = context
  }

  /** The key that a token's header names; throws IssuerAway, or what jose throws when there is none. */
  async find(header: JWTHeaderParameters): Promise<CryptoKey> {
    if (this.#known !== null) {
      if (this.#since(this.#readAtMs) > freshMs) void this.#read().catch(() => undefined)
      try {
        return await this.#known(header)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      }
    }
    await this.#read()
    if (this.#known === null) throw new IssuerAway('the keys of the issuer are not known yet')
    return this.#known(header)
  }

  /** Reads the keys anew, one read for all who wait; does nothing if they were just read. */
  #read(): Promise<void> {
    this.#reading ??= this.#tryToRead().finally(() => (this.#reading = null))
    return this.#reading
  }

  async #tryToRead(): Promise<void> {
    if (this.#since(this.#triedAtMs) < pauseMs) {
      if (this.#readAtMs === this.#triedAtMs) return
      throw new IssuerAway('the issuer did not answer a moment ago')
    }
    const nowMs = this.#context.clock.elapsedMs()
    this.#triedAtMs = nowMs
    try {
      const { keys } = keySet.parse(await this.#get(await this.#keysUrl()))
      this.#known = createLocalJWKSet({ keys })
      this.#readAtMs = nowMs
    } catch (cause) {
      this.#context.log.warn(
        { err: cause },
        'the keys of OIDC_ISSUER cannot be read; those that are known go on'
      )
      throw new IssuerAway('the keys of the issuer cannot be read', { cause })
    }
  }

  async #keysUrl(): Promise<string> {
    const { OIDC_ISSUER: issuer = '', OIDC_JWKS_URL: given } = this.#context.settings
    if (given !== undefined) return given
    const document = discovery.parse(
      await this.#get(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
    )
    if (document.issuer !== issuer) throw new Error('the discovery document is of another issuer')
    if (!isSecure(document.jwks_uri))
      throw new Error('the discovery document names keys at an http:// address')
    return document.jwks_uri
  }

  async #get(url: string): Promise<unknown> {
    const { origin, pathname, search } = new URL(url)
    const answer = await this.#agent.request({
      origin,
      path: pathname + search,
      method: 'GET',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(answerMs)
    })
    const text = await answer.body.text()
    if (answer.statusCode !== 200) throw new Error(`the issuer answers ${answer.statusCode}`)
    return JSON.parse(text)
  }

  #since(ms: number): number {
    return this.#context.clock.elapsedMs() - ms
  }
}
