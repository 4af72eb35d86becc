import { randomUUID } from 'node:crypto'
import { openAccount } from '../../src/accounts/open-account.ts'
import type { PaymentOrder } from '../../src/banking/connector.ts'
import type { Tx } from '../../src/database/statement.ts'
import { addOrganization } from '../../src/organizations/organizations.ts'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'

export const payer = { organization_bic: 'OIVUSCLQXXX', organization_iban: 'FR10474608000002006107XXXXX' }

/** An organization of its own for a test, with one account of the payer's IBAN. */
export async function anOrganization(tx: Tx, options: { funds_minor?: bigint } = {}): Promise<number> {
  const organization_id = await addOrganization(tx, 'ACME Corp')
  await openAccount(tx, {
    organization_id,
    iban: payer.organization_iban,
    bic: payer.organization_bic,
    currency: 'EUR',
    opening_minor: options.funds_minor ?? 100_000_00n
  })
  return organization_id
}

type Transfer = BulkRequest['credit_transfers'][number]

/** A transfer that is right, but for what is given. */
export function aTransfer(change: Partial<Transfer> = {}): Transfer {
  return {
    amount: '100.00',
    currency: 'EUR',
    counterparty_name: 'John Doe',
    counterparty_bic: 'DEUTDEFFXXX',
    counterparty_iban: 'DE89370400440532013000',
    description: 'Salary payment for June 2024',
    ...change
  }
}

/** A bulk that is right, but for what is given; `transfers` equal transfers of `amount`. */
export function aBulk(
  change: Partial<BulkRequest> & { transfers?: number; amount?: string } = {}
): BulkRequest {
  const { transfers = 1, amount = '100.00', ...rest } = change
  return {
    request_id: randomUUID(),
    ...payer,
    credit_transfers: Array.from({ length: transfers }, () => aTransfer({ amount })),
    ...rest
  }
}

/** What a bank is asked to pay, where it does not matter what. */
export const anOrder: PaymentOrder = {
  reference: 'R',
  amount_minor: 1n,
  currency: 'EUR',
  debtor_iban: 'X',
  counterparty_name: 'X',
  counterparty_bic: 'X',
  counterparty_iban: 'X',
  description: 'X'
}
