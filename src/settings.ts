import { z } from 'zod'

const port = z.coerce.number().int().min(0).max(65535)
const count = (min: number, max: number) => z.coerce.number().int().min(min).max(max)
const url = (...protocols: string[]) =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `has to be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`
    )

/** Every setting: environment variable, type, default and meaning. docs/configuration.md is made from this. */
export const settingsSchema = z.object({
  HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address that the API listens on. Demo mode: loopback only.'),
  PORT: port.default(8000).describe('Port of the API.'),
  ROLE: z
    .enum(['all', 'api', 'worker'])
    .default('all')
    .describe('What this process does: take requests (api), execute transfers (worker), or both.'),
  DATABASE_URL: url('postgresql:', 'postgres:')
    .optional()
    .describe('PostgreSQL 15 or newer. Unset: an embedded PostgreSQL is started in DATA_DIR.'),
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
  BANK_SETTLEMENT_WINDOW_MS: count(0, 86_400_000)
    .default(60_000)
    .describe(
      'Milliseconds after which the bank surely never executes a payment that it does not know. Ask your bank.'
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
      'Where a sandbox bank that runs alone tells late results and returns, signed with BANK_CALLBACK_SECRET. Unset: nowhere. One that is started beside the API tells that API.'
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
  BODY_LIMIT_BYTES: count(1_024, 64 * 1024 * 1024)
    .default(2 * 1024 * 1024)
    .describe('Largest request body.'),
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
function checkTogether({
  HOST = '127.0.0.1',
  ROLE = 'all',
  DATABASE_URL,
  BANK_URL,
  BANK_CALLBACK_SECRET,
  SANDBOX_BANK_CALLBACK_URL
}: Record<string, string | undefined>) {
  const errors: string[] = []
  if (ROLE !== 'all' && (DATABASE_URL === undefined || BANK_URL === undefined))
    errors.push(
      `ROLE: ${ROLE} shares its database and bank with other processes; set DATABASE_URL and BANK_URL.`
    )
  if (ROLE !== 'worker' && !isLoopback(HOST))
    errors.push(
      `HOST: ${HOST} can be reached from other machines, and demo mode answers without credentials. Use 127.0.0.1.`
    )
  if (SANDBOX_BANK_CALLBACK_URL !== undefined && BANK_CALLBACK_SECRET === undefined)
    errors.push('SANDBOX_BANK_CALLBACK_URL: callbacks have to be signed; set BANK_CALLBACK_SECRET.')
  return errors
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
