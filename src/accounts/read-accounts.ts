import { normaliseIban } from '../domain/account-number.ts'
import { type Currency, formatAmount } from '../domain/money.ts'
import { transferId } from '../domain/reference.ts'
import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'

const selectAccounts = statement(
  'select-accounts',
  { organization_id: 'int4', iban: 'text?' },
  {
    iban: 'text',
    bic: 'text',
    organization_name: 'text',
    currency: 'text',
    balance_minor: 'int8',
    reserved_minor: 'int8'
  },
  `select a.iban, a.bic, o.name as organization_name, a.currency, a.balance_minor, a.reserved_minor
   from account a join organization o using (organization_id)
   where a.organization_id = :organization_id and a.kind = 'CUSTOMER' and (:iban is null or a.iban = :iban)
   order by a.account_id`
)

/** The statement of an account, newest line first. Lines are numbered without a gap in commit order. */
const selectTransactions = statement(
  'select-transactions',
  { organization_id: 'int4', iban: 'text', before_line_no: 'int8?', limit: 'int4' },
  {
    line_no: 'int8',
    kind: 'text',
    amount_minor: 'int8',
    currency: 'text',
    posted_at: 'timestamptz',
    bulk_id: 'uuid?',
    bulk_reference: 'text?',
    seq: 'int2?',
    counterparty_name: 'text?',
    counterparty_iban: 'text?',
    description: 'text?',
    reference: 'text?'
  },
  `select p.line_no, p.kind::text, p.amount_minor, a.currency, p.posted_at, b.request_id as bulk_id,
          b.bulk_reference, p.seq, t.counterparty_name, t.counterparty_iban, t.description,
          d.reference
   from account a
   join posting p using (organization_id, account_id)
   left join bulk b on (b.organization_id, b.bulk_no) = (p.organization_id, p.bulk_no)
   left join transfer t on (t.organization_id, t.bulk_no, t.seq) = (p.organization_id, p.bulk_no, p.seq)
   left join deposit d on (d.organization_id, d.account_id, d.line_no) = (p.organization_id, p.account_id, p.line_no)
   where a.organization_id = :organization_id and a.iban = :iban
     and (:before_line_no is null or p.line_no < :before_line_no)
   order by p.line_no desc
   limit :limit`
)

/** Every customer account of the organization. */
export async function listAccounts(tx: Tx, organizationId: number) {
  const rows = await selectAccounts(tx, { organization_id: organizationId, iban: null })
  return rows.map(describeAccount)
}

/** One account of the organization, or null. */
export async function readAccount(tx: Tx, organizationId: number, iban: string) {
  const [row] = await selectAccounts(tx, { organization_id: organizationId, iban: normaliseIban(iban) })
  return row ? describeAccount(row) : null
}

/** Up to `limit` lines of the account's statement before the given line. */
export async function listTransactions(
  tx: Tx,
  query: { organization_id: number; iban: string; before_line_no: bigint | null; limit: number }
) {
  const rows = await selectTransactions(tx, { ...query, iban: normaliseIban(query.iban) })
  return rows.map((row) => ({
    line: Number(row.line_no),
    kind: row.kind as 'DEPOSIT' | 'TRANSFER' | 'RETURN',
    amount: formatAmount(row.amount_minor, row.currency as Currency),
    currency: row.currency,
    bulk_id: row.bulk_id,
    transfer_id:
      row.bulk_reference === null || row.seq === null ? null : transferId(row.bulk_reference, row.seq),
    counterparty_name: row.counterparty_name,
    counterparty_iban: row.counterparty_iban,
    description: row.description,
    reference: row.reference,
    posted_at: row.posted_at.toISOString()
  }))
}

function describeAccount(row: Awaited<ReturnType<typeof selectAccounts>>[number]) {
  const currency = row.currency as Currency
  return {
    iban: row.iban,
    bic: row.bic,
    organization_name: row.organization_name,
    currency: row.currency,
    balance: formatAmount(row.balance_minor, currency),
    reserved: formatAmount(row.reserved_minor, currency),
    available: formatAmount(row.balance_minor - row.reserved_minor, currency)
  }
}
