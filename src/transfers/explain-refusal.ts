import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import { formatAmount, type Currency } from '../domain/money.ts'
import type { ErrorItem, ProblemContent } from '../domain/problem.ts'

/** What the account that is to pay has to be, to have and to allow. */
const findPayer = statement(
  'find-payer',
  { organization_id: 'int4', iban: 'text', bic: 'text' },
  {
    currency: 'text',
    available_minor: 'int8',
    closed: 'bool',
    held: 'bool',
    max_transfer_minor: 'int8?',
    max_bulk_minor: 'int8?',
    max_day_minor: 'int8?',
    spent_minor: 'int8'
  },
  `select currency, balance_minor - reserved_minor as available_minor, closed_at is not null as closed,
          exists (select from hold h
                  where h.organization_id = :organization_id and h.released_at is null and h.bulk_no is null
                    and (h.account_id is null or h.account_id = account.account_id)) as held,
          max_transfer_minor, max_bulk_minor, max_day_minor,
          case when spent_on >= (now() at time zone 'utc')::date then spent_minor else 0 end as spent_minor
   from account
   where organization_id = :organization_id and iban = :iban and rpad(bic, 11, 'X') = :bic`
)
type Payer = Awaited<ReturnType<typeof findPayer>>[number]

/** A bulk that a payer may refuse to pay. */
interface Payable {
  organization_iban: string
  organization_bic: string
  currency: Currency
  total_minor: bigint
  transfers: { amount_minor: string }[]
}

/** Why the account does not pay a bulk, in the order in which reasons win: account, limits, funds; null: it would. */
export async function explainPayer(
  tx: Tx,
  organizationId: number,
  bulk: Payable
): Promise<ProblemContent | null> {
  const [payer] = await findPayer(tx, {
    organization_id: organizationId,
    iban: bulk.organization_iban,
    bic: bulk.organization_bic
  })
  if (!payer) return unknownAccount
  if (payer.currency !== bulk.currency) return otherCurrency(bulk, payer.currency)
  if (payer.closed) return notActive('The account is closed; pay from another.')
  if (payer.held) return notActive('Payments from this account are blocked; ask whoever runs this service.')
  return exceededLimits(bulk, payer) ?? missingFunds(bulk, payer)
}

const unknownAccount: ProblemContent = {
  reason: 'unknown-account',
  details: 'Your account should be active',
  errors: [
    {
      pointer: '/organization_iban',
      code: 'unknown-account',
      detail: 'Your organization has no account with this IBAN and BIC; GET /accounts lists yours.'
    }
  ]
}

function otherCurrency(bulk: Payable, currency: string): ProblemContent {
  return {
    reason: 'currency-not-supported',
    details: `The account that pays is in ${currency}, the transfers are in ${bulk.currency}.`,
    errors: [
      {
        pointer: '/organization_iban',
        code: 'account-currency',
        detail: `This account is in ${currency}; pay transfers in ${bulk.currency} from one in ${bulk.currency}.`
      }
    ]
  }
}

function notActive(detail: string): ProblemContent {
  return {
    reason: 'account-not-active',
    details: detail,
    errors: [{ pointer: '/organization_iban', code: 'account-not-active', detail }]
  }
}

/** Every limit that the bulk exceeds, at once, each with its figure. */
function exceededLimits(bulk: Payable, payer: Payer): ProblemContent | null {
  const { max_bulk_minor, max_day_minor, spent_minor } = payer
  const money = (minor: bigint): string => `${formatAmount(minor, bulk.currency)} ${bulk.currency}`
  const errors: ErrorItem[] = largeTransfers(bulk, payer, money)
  if (max_bulk_minor !== null && bulk.total_minor > max_bulk_minor)
    errors.push({
      pointer: '/credit_transfers',
      code: 'bulk-limit',
      detail: `The bulk is ${money(bulk.total_minor)}; this account pays at most ${money(max_bulk_minor)} in one bulk.`
    })
  if (max_day_minor !== null && spent_minor + bulk.total_minor > max_day_minor)
    errors.push({
      pointer: '/credit_transfers',
      code: 'day-limit',
      detail: `The bulk is ${money(bulk.total_minor)}, ${money(spent_minor)} was submitted today (UTC), and this account pays at most ${money(max_day_minor)} a day.`
    })
  const [first] = errors
  return first === undefined ? null : { reason: 'limit-exceeded', details: first.detail, errors }
}

function largeTransfers(bulk: Payable, payer: Payer, money: (minor: bigint) => string): ErrorItem[] {
  const { max_transfer_minor: limit } = payer
  if (limit === null) return []
  return bulk.transfers.flatMap(({ amount_minor }, index) =>
    BigInt(amount_minor) <= limit
      ? []
      : {
          pointer: `/credit_transfers/${index}/amount`,
          index,
          code: 'transfer-limit',
          detail: `This is ${money(BigInt(amount_minor))}; this account pays at most ${money(limit)} in one transfer.`
        }
  )
}

function missingFunds(bulk: Payable, payer: Payer): ProblemContent | null {
  if (payer.available_minor >= bulk.total_minor) return null
  const total = formatAmount(bulk.total_minor, bulk.currency)
  const available = formatAmount(payer.available_minor, bulk.currency)
  return {
    reason: 'insufficient-account-balance',
    details: 'Not enough funds',
    errors: [
      {
        pointer: '/organization_iban',
        code: 'insufficient-funds',
        detail: `The bulk needs ${total} ${bulk.currency}; ${available} ${bulk.currency} is available.`
      }
    ]
  }
}
