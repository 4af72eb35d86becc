import type { Origin } from '../context.ts'
import type { Database } from '../database/database.ts'
import { statement } from '../database/statement.ts'
import { maskIban, normaliseIban } from '../domain/account-number.ts'
import { formatAmount, type Currency } from '../domain/money.ts'
import { recordAct } from '../events/record-act.ts'

/** What a deposit's reference may look like: an identifier, since it is shown in the audit log. */
export const depositReference = /^[A-Za-z0-9._:/-]{1,64}$/

/** Held until the commit, so that of two deposits under one reference the second sees the first. */
const lockAccount = statement(
  'lock-account-to-deposit',
  { organization_id: 'int4', iban: 'text' },
  { account_id: 'int4', closed: 'bool', currency: 'text', balance_minor: 'int8' },
  `select account_id, closed_at is not null as closed, currency, balance_minor
   from account where organization_id = :organization_id and iban = :iban for no key update`
)

const selectDeposit = statement(
  'select-deposit',
  { organization_id: 'int4', account_id: 'int4', reference: 'text' },
  { line_no: 'int8', amount_minor: 'int8', posted_at: 'timestamptz' },
  `select d.line_no, d.amount_minor, p.posted_at
   from deposit d join posting p using (organization_id, account_id, line_no)
   where d.organization_id = :organization_id and d.account_id = :account_id and d.reference = :reference`
)

/** The double entry, the line of the account and what makes it happen once. To be run under the account's lock. */
const insertDeposit = statement(
  'insert-deposit',
  { organization_id: 'int4', account_id: 'int4', reference: 'text', amount_minor: 'int8' },
  { line_no: 'int8', amount_minor: 'int8', posted_at: 'timestamptz' },
  `with credited as (
     update account set balance_minor = balance_minor + :amount_minor, posting_count = posting_count + 1
     where organization_id = :organization_id and account_id = :account_id
     returning currency, posting_count as line_no
   ), kept as (
     insert into deposit (organization_id, account_id, reference, line_no, amount_minor)
     select :organization_id, :account_id, :reference, line_no, :amount_minor from credited
   )
   insert into posting (organization_id, account_id, line_no, counter_account_id, amount_minor, kind)
   select :organization_id, :account_id, line_no,
          (select account_id from account c
           where c.organization_id = :organization_id and c.kind = 'CLEARING' and c.currency = credited.currency),
          :amount_minor, 'DEPOSIT'
   from credited
   returning line_no, amount_minor, posted_at`
)

interface Deposit {
  organization_id: number
  iban: string
  /** The caller's own word for it. */
  reference: string
  amount_minor: bigint
}

type Deposited =
  | { outcome: 'deposited' | 'already-done'; deposit: ReturnType<typeof describeDeposit> }
  | { outcome: 'done-differently'; amount: string }
  | { outcome: 'unknown-account' | 'closed' }

/**
 * Adds money to an account as a double entry, once for each reference: the same again is answered with what was done,
 * another amount under the same reference is refused.
 */
export async function deposit(db: Database, wanted: Deposit, origin: Origin): Promise<Deposited> {
  const { organization_id, reference, amount_minor } = wanted
  const iban = normaliseIban(wanted.iban)
  return db.transaction(async (tx) => {
    const [account] = await lockAccount(tx, { organization_id, iban })
    if (!account) return { outcome: 'unknown-account' }
    const { account_id, balance_minor } = account
    const currency = account.currency as Currency
    const [done] = await selectDeposit(tx, { organization_id, account_id, reference })
    if (done)
      return done.amount_minor === amount_minor
        ? { outcome: 'already-done', deposit: describeDeposit({ ...done, reference, currency }) }
        : { outcome: 'done-differently', amount: formatAmount(done.amount_minor, currency) }
    if (account.closed) return { outcome: 'closed' }
    const [made] = await insertDeposit(tx, { organization_id, account_id, reference, amount_minor })
    if (!made) throw new Error('insert returned no row')
    const deposit = describeDeposit({ ...made, reference, currency })
    const data = {
      account: maskIban(iban),
      reference,
      amount: deposit.amount,
      before: { balance: formatAmount(balance_minor, currency) },
      after: { balance: formatAmount(balance_minor + amount_minor, currency) }
    }
    await recordAct(tx, origin, { organization_id, type: 'account.deposited', data })
    return { outcome: 'deposited', deposit }
  })
}

function describeDeposit(row: {
  reference: string
  line_no: bigint
  amount_minor: bigint
  currency: Currency
  posted_at: Date
}) {
  return {
    reference: row.reference,
    line: Number(row.line_no),
    amount: formatAmount(row.amount_minor, row.currency),
    currency: row.currency,
    posted_at: row.posted_at.toISOString()
  }
}
