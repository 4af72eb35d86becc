import { z } from 'zod'
import { countCharacters, findForbiddenCharacter } from '../domain/text.ts'

/**
 * Text that is what it looks like, of so many characters by code point; spaces around it do not count as its beginning.
 * PostgreSQL can store it and a bank can be sent it.
 */
const text = (min: number, max: number) =>
  z
    .string()
    // Not min and max of the library, which count an emoji as two. Of twice as many it is clear without counting.
    .refine((value) => isAtLeast(value.trim(), min), {
      error: `has to have at least ${counted(min)}, not counting spaces around it`,
      params: { code: 'too-short' }
    })
    .refine((value) => value.length <= max || countCharacters(value) <= max, {
      error: `may have at most ${counted(max)}`,
      params: { code: 'too-long' }
    })
    .refine((value) => findForbiddenCharacter(value) === null, {
      error: ({ input }) => `contains ${findForbiddenCharacter(String(input))}; remove it`,
      params: { code: 'forbidden-character' }
    })
    .meta({ minLength: min, maxLength: max })

function isAtLeast(value: string, min: number): boolean {
  return value.length >= 2 * min || countCharacters(value) >= min
}

function counted(count: number): string {
  return count === 1 ? '1 character' : `${count} characters`
}

const metadata = z
  .record(text(1, 40), text(0, 500))
  .refine((value) => Object.keys(value).length <= 20, {
    error: 'has more than 20 keys',
    params: { code: 'too-long' }
  })
  .describe(
    'Your own keys and values, returned as given: at most 20, keys of 1..40, values of 0..500 characters.'
  )

/** Most characters of what a bank is sent as text. */
export const sentLengths = { counterparty_name: 70, description: 140 }

const creditTransfer = z
  .strictObject({
    amount: text(1, 400).describe(
      'A plain decimal in a string, greater than zero, at most 999999999.99, with no more decimals than the currency has.'
    ),
    currency: text(1, 400).describe('ISO 4217 code; EUR.'),
    counterparty_name: text(1, sentLengths.counterparty_name).describe(
      'Name of the payee, 1..70 characters (SEPA rulebook AT-E001).'
    ),
    counterparty_bic: text(1, 40).describe("BIC of the payee's bank, 8 or 11 characters (ISO 9362)."),
    counterparty_iban: text(1, 80).describe('IBAN of the payee; spaces and case do not matter (ISO 13616).'),
    description: text(10, sentLengths.description).describe(
      'Remittance information, 10..140 characters (SEPA rulebook AT-T009).'
    ),
    client_transfer_id: text(1, 64)
      .optional()
      .describe('Your own id of the transfer, unique within the bulk.'),
    end_to_end_id: text(1, 35)
      .optional()
      .describe('Reference for the payee, at most 35 characters (ISO 20022).'),
    metadata: metadata.optional()
  })
  .meta({ id: 'CreditTransfer' })

/** A bulk that the demo organization can pay, for the documentation and the welcome. */
export const exampleBulk = {
  request_id: '123e4567-e89b-12d3-a456-426614174000',
  organization_bic: 'OIVUSCLQXXX',
  organization_iban: 'FR10474608000002006107XXXXX',
  credit_transfers: [
    {
      amount: '100.00',
      currency: 'EUR',
      counterparty_name: 'John Doe',
      counterparty_bic: 'DEUTDEFFXXX',
      counterparty_iban: 'DE89370400440532013000',
      description: 'Salary payment for June 2024'
    }
  ]
}

/** The body of POST /transfers/bulk. Shape only: what amounts, IBANs and ids mean is checked by validateBulk. */
export const bulkRequest = z
  .strictObject({
    request_id: z
      .string()
      .describe('Canonical UUID chosen by you. It makes the call idempotent, in your organization, for ever.')
      .meta({ examples: ['123e4567-e89b-12d3-a456-426614174000'] }),
    organization_bic: text(1, 40).describe('BIC of the account that pays.'),
    organization_iban: text(1, 80).describe('IBAN of the account that pays.'),
    credit_transfers: z.array(creditTransfer).describe('1 to 1000 transfers.'),
    label: text(1, 140).optional().describe('A name for people.'),
    on_failure: z
      .enum(['continue', 'stop'])
      .optional()
      .describe(
        'After a definitive failure: go on with the others (default), or send nothing more and cancel the rest.'
      ),
    execution_date: z.iso.date().optional().describe('YYYY-MM-DD (UTC); only today for now.'),
    control_sum: text(1, 400).optional().describe('Sum of all amounts; refused if it is not.'),
    duplicate_check: z
      .enum(['warn', 'reject', 'off'])
      .optional()
      .describe(
        'What to do about transfers of the same amount to the same IBAN with the same description, in this bulk or among your last 20,000 of the last 30 days that have not failed: accept them with a warning (default), refuse the bulk, or do not look. It is no part of the content that a replay is compared by.'
      ),
    payee_check: z
      .enum(['off'])
      .optional()
      .describe(
        "off: do not ask the payees' banks whether names and IBANs belong together, at your own risk. Only for two or more transfers, and only if your organization allows it. It is no part of the content that a replay is compared by."
      ),
    metadata: metadata.optional()
  })
  .meta({
    id: 'BulkRequest',
    examples: [exampleBulk]
  })

export type BulkRequest = z.infer<typeof bulkRequest>

/** Most transfers in one bulk. */
export const maxTransfers = 1000

/** Whether a value is an object with keys. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The client's own id of a transfer, to be told beside its index, wherever it can be read. */
export function clientTransferId(transfer: unknown): { client_transfer_id?: string } {
  const id = isRecord(transfer) ? transfer['client_transfer_id'] : undefined
  return typeof id === 'string' && id.length <= 64 && id.isWellFormed() ? { client_transfer_id: id } : {}
}
