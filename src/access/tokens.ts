import { errors, jwtVerify, type JWTPayload } from 'jose'
import type { Context } from '../context.ts'
import { statement } from '../database/statement.ts'
import { refuse, type Identification, type Tokens } from './caller.ts'
import { IssuerAway, IssuerKeys } from './issuer-keys.ts'
import { organizationScopes } from './scope.ts'

/** Signatures by a key pair only: with HS256 whoever knows the public key could sign. */
const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA']
/** Seconds that the clocks of issuer and server may differ. */
const clockTolerance = 60
const mostCharacters = 8_192

/** The limits of an organization, if there is one of this number. */
const findOrganization = statement(
  'find-organization-of-token',
  { organization_id: 'int4' },
  { requests_per_minute: 'int4?', transfers_per_minute: 'int4?' },
  `select requests_per_minute, transfers_per_minute from organization where organization_id = :organization_id`
)

/** What reads the bearer tokens of OIDC_ISSUER, or null if none is set. */
export function createTokens(context: Context): Tokens | null {
  if (context.settings.OIDC_ISSUER === undefined) return null
  const keys = new IssuerKeys(context)
  return {
    async identify(token) {
      const read = await readToken(context, keys, token)
      return read.outcome === 'read' ? identifyPayload(context, read.payload) : read
    }
  }
}

type ReadToken = { outcome: 'read'; payload: JWTPayload } | Exclude<Identification, { outcome: 'known' }>

/** The claims of a token, once its signature, issuer, audience and times are known to be right. */
async function readToken(
  { settings, clock, log }: Context,
  keys: IssuerKeys,
  token: string
): Promise<ReadToken> {
  if (token.length > mostCharacters) return refuse('The access token is too long.')
  const { OIDC_ISSUER: issuer = '', OIDC_AUDIENCE: audience = '' } = settings
  try {
    const { payload } = await jwtVerify(token, (header) => keys.find(header), {
      algorithms,
      issuer,
      audience,
      clockTolerance,
      currentDate: new Date(clock.nowMs()),
      requiredClaims: ['sub', 'exp']
    })
    return { outcome: 'read', payload }
  } catch (error) {
    if (error instanceof IssuerAway)
      return {
        outcome: 'unavailable',
        details:
          'The issuer of the access token cannot be asked for its keys right now; try again in a moment.'
      }
    if (!(error instanceof errors.JOSEError)) log.warn({ err: error }, 'an access token could not be checked')
    return refuse(describeFault(error))
  }
}

/** Claims are told only of tokens that the issuer has signed; whoever made one up learns nothing. */
function describeFault(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'The access token has expired; get a new one.'
  if (error instanceof errors.JWTClaimValidationFailed)
    return `The access token is not for this installation, now: see its claim "${error.claim}".`
  return 'This is neither an API key nor an access token of the issuer that this installation trusts.'
}

/** Whom the claims stand for. A token is never an operator's. */
async function identifyPayload(context: Context, payload: JWTPayload): Promise<Identification> {
  const { sub } = payload
  // It is written to the log and the audit trail.
  if (sub === undefined || !/^[\x21-\x7e]{1,255}$/.test(sub))
    return refuse('The access token needs a claim "sub" of 1 to 255 ASCII characters.')
  const claim = context.settings.OIDC_ORGANIZATION_CLAIM
  const organization_id = readNumber(Object.hasOwn(payload, claim) ? payload[claim] : null)
  const [limits] = organization_id === null ? [] : await findOrganization(context.db, { organization_id })
  if (organization_id === null || limits === undefined)
    return refuse(`The access token names no organization of this installation in its claim "${claim}".`)
  return {
    outcome: 'known',
    caller: { organization_id, scopes: readScopes(payload), actor: `user:${sub}`, limits }
  }
}

function readNumber(value: unknown): number | null {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
  const number = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null
  return number !== null && number < 2 ** 31 ? number : null
}

/** `scope` is words in one text (RFC 8693), `scp` words or a list; a word may begin with `bulkhead:`. */
function readScopes({ scope, scp }: JWTPayload) {
  const words = [scope, scp].flat().flatMap((text) => (typeof text === 'string' ? text.split(' ') : []))
  const names = new Set(words.map((word) => word.replace(/^bulkhead:/, '')))
  return organizationScopes.filter((name) => names.has(name))
}
