import { isIP } from 'node:net'
import { z } from 'zod'
import { readRanges } from './domain/receiver-address.ts'

const port = z.coerce.number().int().min(0).max(65535)
const count = (min: number, max: number) => z.coerce.number().int().min(min).max(max)
const url = (...protocols: string[]) =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `has to be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`
    )

/** A list in one variable, separated by commas; kept as it was given, so that a default can be shown. */
const list = (isRight: (entry: string) => boolean, entries: string) =>
  z.string().refine((value) => splitList(value).every(isRight), `has to be ${entries}, separated by commas`)

/** Every setting: environment variable, type, default and meaning. docs/configuration.md is made from this. */
export const settingsSchema = z.object({
  MODE: z
    .enum(['demo', 'test', 'live'])
    .default('demo')
    .describe(
      'demo: on this machine only, calls without credentials act for a demo organization. test, live: every call needs a key that begins with bh_test_ or bh_live_; live needs a bank of yours (BANK_URL).'
    ),
  HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address that the API listens on. Demo mode: loopback only.'),
  PORT: port.default(8000).describe('Port of the API.'),
  TLS_CERT: z
    .string()
    .optional()
    .describe(
      'File with the certificate (PEM, with its chain) for HTTPS; read again at SIGHUP. With TLS_KEY.'
    ),
  TLS_KEY: z.string().optional().describe('File with the private key of TLS_CERT (PEM).'),
  TRUSTED_PROXY: list(isAddressOrNetwork, 'IP addresses or networks (10.0.0.0/8)')
    .optional()
    .describe(
      'Addresses or networks, separated by commas, of the proxies that end TLS before this program. Only theirs are X-Forwarded-For and X-Forwarded-Proto believed.'
    ),
  CORS_ORIGINS: list(isOrigin, 'origins like https://pay.example.com')
    .optional()
    .describe('Origins, separated by commas, whose web pages may call the API. Unset: none.'),
  ROLE: z
    .enum(['all', 'api', 'worker'])
    .default('all')
    .describe('What this process does: take requests (api), execute transfers (worker), or both.'),
  DATABASE_URL: url('postgresql:', 'postgres:')
    .optional()
    .describe('PostgreSQL 15 or newer. Unset: an embedded PostgreSQL is started in DATA_DIR.'),
  MIGRATE_AT_START: z
    .stringbool({ error: 'has to be true or false' })
    .default(true)
    .describe(
      'Whether a start brings the schema up to date. false: it does not start before the command migrate has.'
    ),
  DATABASE_CONNECTIONS: count(2, 200).default(10).describe('Most connections that this process opens.'),
  BROKER_URL: url('amqp:', 'amqps:')
    .optional()
    .describe(
      'RabbitMQ 3.10 or newer, for many machines; a virtual host for each installation. Unset: hints travel through PostgreSQL.'
    ),
  DATA_DIR: z
    .string()
    .min(1)
    .default('./data')
    .describe("Folder of the embedded PostgreSQL and the sandbox bank's log."),
  BANK_URL: url('http:', 'https:')
    .optional()
    .describe('The bank. Unset: a sandbox bank is started beside the API.'),
  BANK_CONNECTIONS: count(1, 1000).default(64).describe('Most calls to the bank at one time.'),
  BANK_TIMEOUT_MS: count(100, 600_000)
    .default(10_000)
    .describe("Milliseconds until a bank's silence is an unknown outcome."),
  BANK_SETTLEMENT_WINDOW_MS: count(1, 86_400_000)
    .default(60_000)
    .describe(
      'Milliseconds after which the bank surely never executes a payment that it does not know, counted from when it was sent at the latest. Too short a time can make a CANCELLED transfer be paid. Ask your bank.'
    ),
  PAYEE_CHECK_URL: url('http:', 'https:')
    .optional()
    .describe(
      'Who verifies names and IBANs of payees before a bulk is accepted. Unset: the sandbox bank, where one is started beside the API; with a bank of yours (BANK_URL), nobody.'
    ),
  PAYEE_CHECK_TIMEOUT_MS: count(100, 60_000)
    .default(5_000)
    .describe(
      'Most milliseconds that a bulk waits for its payees to be verified; what has no answer by then is told as not possible. 5 s is what the EPC scheme gives a single answer.'
    ),
  BANK_CALLBACK_SECRET: z
    .string()
    .min(16)
    .optional()
    .describe(
      'Secret with which the bank signs its callbacks. Unset: callbacks are refused, but those of a sandbox bank that is started beside the API.'
    ),
  SANDBOX_BANK_PORT: port.default(8001).describe('Port of the sandbox bank.'),
  SANDBOX_BANK_LATENCY_MS: count(0, 60_000)
    .default(0)
    .describe('Milliseconds that the sandbox bank takes to answer.'),
  SANDBOX_BANK_CALLBACK_URL: url('http:', 'https:')
    .optional()
    .describe(
      'Where a sandbox bank tells late results and returns, signed with BANK_CALLBACK_SECRET. Unset: one that is started beside the API tells that API, one that runs alone tells nobody.'
    ),
  CHUNK_SIZE: count(1, 1000)
    .default(100)
    .describe('Transfers that are claimed, leased and recorded together.'),
  WORKER_LANES: count(1, 64).default(4).describe('Claims that this process works on at one time.'),
  LEASE_MS: count(1_000, 600_000)
    .default(15_000)
    .describe("Milliseconds after which a dead worker's chunks are taken over; a live worker renews them."),
  POLL_MS: count(50, 60_000)
    .default(1_000)
    .describe('Milliseconds between looks for work when nothing announces any.'),
  RECONCILE_EVERY_MS: count(0, 86_400_000)
    .default(60_000)
    .describe("Milliseconds between comparisons of the bank's statement with the ledger; 0: never."),
  SWEEP_EVERY_MS: count(0, 86_400_000)
    .default(15_000)
    .describe('Milliseconds between looks for work that nobody does and for orphaned reserves; 0: never.'),
  AUDIT_EVERY_MS: count(0, 86_400_000)
    .default(3_600_000)
    .describe('Milliseconds between runs of the checker over everything; 0: never.'),
  WEBHOOK_ALLOW_PRIVATE: z
    .string()
    .refine((text) => readRanges(text) !== null, 'has to be ranges like 10.0.0.0/8,fd00::/8')
    .optional()
    .describe(
      'Ranges of addresses that webhooks may go to besides public ones, on any port: 10.0.0.0/8,fd00::/8. Unset: none; in demo mode this machine itself.'
    ),
  WEBHOOK_SECRET_KEY: z
    .string()
    .regex(
      /^[A-Za-z0-9+/]{43}=(,[A-Za-z0-9+/]{43}=)*$/,
      'has to be 32 bytes in base64; make them with: openssl rand -base64 32'
    )
    .optional()
    .describe(
      'Key under which signing secrets of webhooks are kept: 32 bytes in base64. Several, separated by commas: the first is for new ones. Unset: kept as they are; live mode refuses that.'
    ),
  WEBHOOK_CONNECTIONS: count(4, 10_000)
    .default(400)
    .describe('Most webhooks that this process sends at one time.'),
  WEBHOOK_TIMEOUT_MS: count(100, 60_000)
    .default(15_000)
    .describe("Milliseconds until a webhook receiver's silence is a failure."),
  BODY_LIMIT_BYTES: count(1_024, 64 * 1024 * 1024)
    .default(1024 * 1024)
    .describe('Most bytes of a request body.'),
  METRICS_PORT: port
    .optional()
    .describe(
      'Port of a listener with /metrics and /health alone, for a worker or beside the API. Unset: there is none.'
    ),
  METRICS_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address of that listener. It needs no credentials: keep it within your own network.'),
  MAX_CONNECTIONS: count(10, 1_000_000)
    .default(2_000)
    .describe(
      'Most connections of clients at one time; more are closed at once. One organization watches over at most a quarter.'
    ),
  BIG_BODIES_AT_ONCE: count(1, 100)
    .default(1)
    .describe(
      'Bodies of more than 64 KiB that are worked on at one time for one organization; up to 100 more wait in line.'
    ),
  REQUESTS_PER_MINUTE: count(1, 10_000_000)
    .default(6_000)
    .describe('Requests of an organization that has no limit of its own.'),
  TRANSFERS_PER_MINUTE: count(1, 1_000_000_000)
    .default(100_000)
    .describe('Transfers that an organization without a limit of its own may submit, refused ones included.'),
  KEY_SHARE_PERCENT: count(1, 100)
    .default(80)
    .describe("How much of its organization's limits one key or token subject may use."),
  LIMITS_STORE: z
    .enum(['memory', 'postgres'])
    .default('memory')
    .describe(
      'Where the limits are counted: in each process by itself, or together in PostgreSQL, for two round trips a request.'
    ),
  FAILED_AUTHENTICATIONS_PER_MINUTE: count(1, 100_000)
    .default(30)
    .describe('Wrong credentials from one address (IPv6: one /64) before it is answered 429, for a minute.'),
  OIDC_ISSUER: url('http:', 'https:')
    .optional()
    .describe('Identity provider whose access tokens (JWT) are taken beside API keys. With OIDC_AUDIENCE.'),
  OIDC_AUDIENCE: z.string().min(1).optional().describe('What a token has to have in `aud`.'),
  OIDC_JWKS_URL: url('http:', 'https:')
    .optional()
    .describe("Where the issuer's public keys are. Unset: where its discovery document says."),
  OIDC_ORGANIZATION_CLAIM: z
    .string()
    .min(1)
    .default('bulkhead_organization')
    .describe("Claim of a token that has the organization's number."),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('Least level that is logged.')
})
export type Settings = z.infer<typeof settingsSchema>

export type ReadSettings = { outcome: 'ok'; settings: Settings } | { outcome: 'invalid'; errors: string[] }

/** Reads and checks every setting and reports all that is wrong at once. An empty variable counts as unset. */
export function readSettings(environment: Record<string, string | undefined>): ReadSettings {
  const given = Object.fromEntries(
    Object.keys(settingsSchema.shape)
      .map((name) => [name, environment[name]] as const)
      .filter(([, value]) => value !== undefined && value !== '')
  )
  const parsed = settingsSchema.safeParse(given)
  const errors = [
    ...(parsed.error?.issues ?? []).map((issue) => `${String(issue.path[0])}: ${issue.message}`),
    ...checkTogether(given)
  ]
  return parsed.success && errors.length === 0
    ? { outcome: 'ok', settings: parsed.data }
    : { outcome: 'invalid', errors }
}

/** What is wrong with settings that are right one by one. */
function checkTogether(given: Given): string[] {
  const { MODE = 'demo', ROLE = 'all', DATABASE_URL, BANK_URL, WEBHOOK_SECRET_KEY } = given
  const errors: string[] = []
  if (MODE === 'live' && WEBHOOK_SECRET_KEY === undefined)
    errors.push(
      'WEBHOOK_SECRET_KEY: live mode keeps no secret in the clear; openssl rand -base64 32 makes a key.'
    )
  if (ROLE !== 'all' && (DATABASE_URL === undefined || BANK_URL === undefined))
    errors.push(
      `ROLE: ${ROLE} shares its database and bank with other processes; set DATABASE_URL and BANK_URL.`
    )
  if (MODE === 'live' && BANK_URL === undefined)
    errors.push('BANK_URL: live mode pays real money; set the address of your bank.')
  if (given.SANDBOX_BANK_CALLBACK_URL !== undefined && given.BANK_CALLBACK_SECRET === undefined)
    errors.push('SANDBOX_BANK_CALLBACK_URL: callbacks have to be signed; set BANK_CALLBACK_SECRET.')
  return [...errors, ...checkTransport(given), ...checkTokens(given)]
}

type Given = Partial<Record<keyof Settings, string>>

/** Credentials and names of payees cross no network in the clear. */
function checkTransport(given: Given): string[] {
  const { MODE = 'demo', HOST = '127.0.0.1', ROLE, TLS_CERT, TLS_KEY, TRUSTED_PROXY } = given
  const errors: string[] = []
  if ((TLS_CERT === undefined) !== (TLS_KEY === undefined))
    errors.push('TLS_CERT: the certificate and TLS_KEY, its private key, need each other; set both.')
  if (ROLE === 'worker') return errors
  if (MODE === 'demo' && !isLoopback(HOST))
    errors.push(
      `HOST: ${HOST} can be reached from other machines, and demo mode answers without credentials. Use 127.0.0.1, or set MODE.`
    )
  if (MODE === 'demo' && TRUSTED_PROXY !== undefined)
    errors.push(
      'TRUSTED_PROXY: a proxy lets other machines in, and demo mode answers without credentials. Set MODE.'
    )
  if (MODE !== 'demo' && !isLoopback(HOST) && TLS_CERT === undefined && TRUSTED_PROXY === undefined)
    errors.push(
      `HOST: ${HOST} can be reached from other machines, and credentials would cross the network in the clear. Set TLS_CERT and TLS_KEY, or TRUSTED_PROXY if a proxy ends TLS.`
    )
  return errors
}

function checkTokens({ OIDC_ISSUER, OIDC_AUDIENCE, OIDC_JWKS_URL }: Given): string[] {
  const errors = Object.entries({ OIDC_ISSUER, OIDC_JWKS_URL })
    .filter(([, address]) => address !== undefined && !isSecure(address))
    .map(([name]) => `${name}: whoever can change what it answers could make tokens; use https://.`)
  if ((OIDC_ISSUER === undefined) !== (OIDC_AUDIENCE === undefined))
    errors.push('OIDC_ISSUER: tokens for other programs must not open this one; set OIDC_AUDIENCE with it.')
  if (OIDC_JWKS_URL !== undefined && OIDC_ISSUER === undefined)
    errors.push('OIDC_JWKS_URL: keys are for the tokens of an issuer; set OIDC_ISSUER.')
  return errors
}

/** Whether what is read from an address can't be changed on the way; what is no address is told elsewhere. */
export function isSecure(address: string): boolean {
  if (!URL.canParse(address)) return true
  const { protocol, hostname } = new URL(address)
  return protocol === 'https:' || isLoopback(hostname.replace(/^\[|\]$/g, ''))
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/** The entries of a list, without the blanks around them. */
export function splitList(text: string): string[] {
  return text.split(',').map((entry) => entry.trim())
}

function isAddressOrNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  const most = family === 6 ? 128 : 32
  return (
    family !== 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && +bits <= most))
  )
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text
}
