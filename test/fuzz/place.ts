import { Pool } from 'undici'
import { organizationScopes, type Scope } from '../../src/access/scope.ts'
import type { BankAnswer, PaymentOrder } from '../../src/banking/connector.ts'
import type { Context } from '../../src/context.ts'
import { Sealer } from '../../src/events/sealer.ts'
import { settleNotices } from '../../src/execution/notices.ts'
import { Worker } from '../../src/execution/worker.ts'
import { buildServer } from '../../src/http/server.ts'
import type { OutgoingAnswer } from '../../src/outgoing/outgoing.ts'
import { setPolicies } from '../../src/organizations/organizations.ts'
import { Dispatcher } from '../../src/webhooks/dispatcher.ts'
import { createEndpoint } from '../../src/webhooks/endpoints.ts'
import { anOrganization, payer } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import type { TestDatabase } from '../support/database.ts'
import { aCreatedKey } from '../support/keys.ts'
import { createScriptedPayees } from '../support/scripted-payees.ts'
import type { ApiDocument } from './document.ts'

const callbackSecret = 'a secret of the bank and us'

/** A minute's limits would end the run in its first seconds. */
const settings = {
  MODE: 'test',
  REQUESTS_PER_MINUTE: 1e9,
  TRANSFERS_PER_MINUTE: 1e9,
  FAILED_AUTHENTICATIONS_PER_MINUTE: 1e9,
  WEBHOOK_ALLOW_PRIVATE: '127.0.0.0/8',
  BANK_CALLBACK_SECRET: callbackSecret,
  POLL_MS: 50
} as const

/**
 * The real API on a real port, not in demo mode, with everything behind it, so that there are failed transfers, held
 * bulks, deliveries and payments to be told of; and keys of two organizations, an operator and nobody.
 */
export async function preparePlace(database: TestDatabase) {
  const context = createTestContext(database, settings)
  context.payeeCheck = createScriptedPayees()
  context.outgoing = { post: ({ url }) => Promise.resolve(answerOf(url)) }
  context.bank.script = (order) => answerTo(order)
  const server = await buildServer(context, { demoOrganizationId: null, tokens: null, manual: false })
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  const client = new Pool(url, { connections: 8 })
  const stopWork = await startWork(context)
  const keys = await makeKeys(context)
  const own = [...keys.organizations, keys.operator].map((text) => text.slice(8, 20))
  const { body } = await client.request({ method: 'GET', path: '/openapi.json' })
  const known = whatIsKnown(await anOrganization(context.db))
  return {
    client,
    keys,
    known,
    callbackSecret,
    /** Whatever the bank was ever asked to pay. */
    payments: () => [...context.bank.orders.values()],
    document: (await body.json()) as ApiDocument,
    /** Ids of what there is now are used in later calls. */
    learn: (text: string) => {
      for (const name of learned) {
        const all = [...text.matchAll(new RegExp(`"${name}":"?([^",}]{1,200})`, 'g'))]
        const ids = (known[name === 'next_cursor' ? 'cursor' : name] ??= [])
        // Of a list the newest and the oldest: both ends of what can become of things.
        for (const id of new Set([all[0]?.[1], all.at(-1)?.[1]]))
          if (id !== undefined && ids.length < 500 && id !== 'null' && !own.includes(id)) ids.push(id)
      }
    },
    close: async () => {
      await stopWork()
      await client.close()
      await server.close()
    }
  }
}

export type Place = Awaited<ReturnType<typeof preparePlace>>

/** 410 disables the endpoint for good: what was to be sent to it is refused from then on. */
function answerOf(url: string): OutgoingAnswer {
  const status = url.endsWith('/gone') ? 410 : 500
  return { outcome: 'answered', status, retry_after: null, body_start: '' }
}

const learned = [
  'bulk_id',
  'transfer_id',
  'key_id',
  'endpoint_no',
  'webhook_id',
  'client_transfer_id',
  'next_cursor'
]

/** The amount decides, so that about every bulk has something that fails and something that is left open. */
function answerTo({ amount_minor }: PaymentOrder): BankAnswer | 'execute' {
  if (amount_minor === 1_00n) return { outcome: 'rejected', code: 'AC04', message: 'closed' }
  if (amount_minor === 12_50n) return { outcome: 'taken' }
  return 'execute'
}

async function startWork(context: Context): Promise<() => Promise<void>> {
  const [worker, sealer, dispatcher] = [
    new Worker(context, 'fuzz'),
    new Sealer(context),
    new Dispatcher(context)
  ]
  await worker.start()
  sealer.start()
  dispatcher.start()
  const settling = setInterval(() => void settleNotices(context).catch(() => undefined), 200)
  return async () => {
    clearInterval(settling)
    await dispatcher.stop()
    await sealer.stop()
    await worker.stop()
  }
}

/** The first endpoint of each organization is told once, and has deliveries that cannot be sent again. */
async function makeKeys(context: Context) {
  const { db, origin } = context
  const organizations = [await anOrganization(db), await anOrganization(db)]
  await setPolicies(db, organizations[0] ?? 0, { payee_check: 'hold' }, origin)
  for (const id of organizations)
    await createEndpoint(context, id, {
      url: 'http://127.0.0.1:9/gone',
      description: null,
      event_types: null
    })
  const key = async (id: number | null, scopes: Scope[]) => (await aCreatedKey(db, id, scopes)).api_key
  return {
    organizations: await Promise.all(organizations.map((id) => key(id, organizationScopes))),
    operator: await key(null, ['operator'])
  }
}

function germanIban(nr: number): string {
  const bban = `37040044${String(nr).padStart(10, '0')}`
  const check = 98n - (BigInt(`${bban}131400`) % 97n)
  return `DE${String(check).padStart(2, '0')}${bban}`
}

/** Values that are right, by the name of the field. Operators' calls are about a third organization: they would lock the callers out. */
function whatIsKnown(thirdOrganization: number): Record<string, string[]> {
  const ids: string[] = []
  return {
    organization_iban: [payer.organization_iban],
    organization_bic: [payer.organization_bic],
    // As many of the payer as of others: what is opened, funded and closed must not always be the same.
    iban: Array.from({ length: 10 }, (_, nr) => [payer.organization_iban, germanIban(nr)]).flat(),
    organization_id: [String(thirdOrganization)],
    amount: ['0.01', '1.00', '12.50'],
    currency: ['EUR'],
    counterparty_name: ['John Doe', 'John Doe', 'no-match'],
    counterparty_iban: ['DE89370400440532013000', 'FR7630006000011234567890189'],
    counterparty_bic: ['DEUTDEFF'],
    description: ['Salary for June, with thanks'],
    request_id: ids,
    bulk_id: ids,
    transfer_id: [],
    key_id: [],
    url: ['http://127.0.0.1:9/hook', 'http://127.0.0.1:9/gone'],
    bic: ['DEUTDEFF', 'BNPAFRPP'],
    reference: ['top-up-1', 'top-up-2', 'top-up-3'],
    opening_balance: ['100.00'],
    max_transfer_amount: ['1000.00'],
    max_bulk_amount: ['1000.00'],
    max_day_amount: ['1000.00']
  }
}
