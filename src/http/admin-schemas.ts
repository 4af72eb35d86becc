import { z } from 'zod'
import { organizationScopes, scopes, type Scope } from '../access/scope.ts'
import { depositReference } from '../accounts/deposit.ts'
import { findBicFault, findIbanFault, normaliseBic, normaliseIban } from '../domain/account-number.ts'
import { parseAmount } from '../domain/money.ts'
import { payeePolicies, validationPolicies } from '../organizations/validation-profile.ts'
import { bulk, transaction } from './schemas.ts'

/** A line of text for people: no control or invisible characters. */
const line = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{C}\p{Zl}\p{Zp}]+$/u, 'may have no control or invisible characters')

const money = z
  .string()
  .max(400)
  .refine(
    (text) => parseAmount(text, 'EUR').outcome === 'ok',
    'has to be a positive decimal such as "5000.00"'
  )

const limit = money.nullable()

/** As large as the database's numbers are. */
const organizationId = z.int().min(1).max(2_147_483_647)

const time = z.string().describe('RFC 3339, UTC.')

export const newOrganization = z
  .strictObject({ name: line(140).describe('Name for people.') })
  .meta({ examples: [{ name: 'Example GmbH' }] })

export const organizationLimits = z
  .strictObject({
    requests_per_minute: z.int().min(1).max(1_000_000).nullable().describe("null: the program's own limit."),
    transfers_per_minute: z
      .int()
      .min(1)
      .max(100_000_000)
      .nullable()
      .describe("null: the program's own limit.")
  })
  .meta({ examples: [{ requests_per_minute: 600, transfers_per_minute: null }] })

const payee_check = z
  .enum(payeePolicies)
  .describe('off: nobody is asked; warn: tell what does not match; hold: and wait for the payer to confirm.')

export const payeePolicy = z.strictObject({ payee_check }).meta({ examples: [{ payee_check: 'hold' }] })

const validation = z
  .enum(validationPolicies)
  .describe("strict: IBANs and BICs that can't be right are refused; lenient: accepted with a warning.")

export const validationPolicy = z.strictObject({ validation }).meta({ examples: [{ validation: 'lenient' }] })

export const organization = z
  .object({
    organization_id: z.int(),
    name: z.string(),
    status: z.enum(['ACTIVE', 'BLOCKED']),
    created_at: time,
    requests_per_minute: z.int().nullable(),
    transfers_per_minute: z.int().nullable(),
    validation,
    payee_check
  })
  .meta({ id: 'Organization' })

export const newAccount = z
  .strictObject({
    iban: z
      .string()
      .max(80)
      .refine((text) => findIbanFault(normaliseIban(text)) === null, 'is not an IBAN: check its digits')
      .describe('Spaces and case do not matter.'),
    bic: z
      .string()
      .refine((text) => findBicFault(normaliseBic(text)) === null, 'has to be a BIC such as DEUTDEFF'),
    opening_balance: z
      .string()
      .optional()
      .describe('Decimal string in EUR; the first line of the account. Without it the account is empty.')
  })
  .meta({ examples: [{ iban: 'DE89370400440532013000', bic: 'DEUTDEFFXXX', opening_balance: '100000.00' }] })

export const ofOrganization = z.object({ organization_id: z.coerce.number().int().min(1).max(2_147_483_647) })
export const ofAccount = ofOrganization.extend({ iban: z.string().max(80) })

export const newDeposit = z
  .strictObject({
    reference: z
      .string()
      .regex(depositReference, 'may have letters, digits and . _ : / - only, 64 at most')
      .describe('Your own identifier of it: what makes the call idempotent.'),
    amount: money.describe('Decimal string in EUR.')
  })
  .meta({ examples: [{ reference: 'top-up-2026-11-23', amount: '5000.00' }] })

export const shownDeposit = transaction
  .pick({ line: true, amount: true, currency: true, posted_at: true })
  .extend({ reference: z.string() })
  .meta({ id: 'Deposit' })

export const accountLimits = z
  .strictObject({
    max_transfer_amount: limit.describe('Most for one transfer; null: no limit.'),
    max_bulk_amount: limit.describe('Most for one bulk; null: no limit.'),
    max_day_amount: limit.describe('Most that is submitted in a day (UTC); null: no limit.')
  })
  .meta({
    examples: [{ max_transfer_amount: '5000.00', max_bulk_amount: '250000.00', max_day_amount: null }]
  })

export const newKey = z
  .strictObject({
    label: line(100).describe('What it is for, for people.'),
    scopes: z
      .array(z.enum(organizationScopes as [Scope, ...Scope[]]))
      .min(1)
      .max(20)
      .describe(organizationScopes.map((scope) => `- \`${scope}\`: ${scopes[scope]}`).join('\n')),
    expires_at: z.iso.datetime().optional().describe('When it ends; without it, when it is revoked.')
  })
  .meta({ examples: [{ label: 'payroll', scopes: ['read', 'submit'] }] })

export const rotation = z
  .strictObject({
    grace_hours: z.int().min(0).max(720).default(24).describe('Hours for which the old key goes on.')
  })
  .nullish()
  .meta({ examples: [{ grace_hours: 24 }] })

export const apiKey = z
  .object({
    key_id: z.string().describe('The twelve characters behind bh_test_ or bh_live_.'),
    environment: z.enum(['test', 'live']),
    label: z.string(),
    scopes: z.array(z.enum(Object.keys(scopes) as [Scope, ...Scope[]])),
    created_at: time,
    created_by: z.string(),
    expires_at: time.nullable(),
    last_used_at: time.nullable().describe('Written at most once a minute.'),
    revoked_at: time.nullable()
  })
  .meta({ id: 'ApiKey' })

export const newApiKey = apiKey
  .extend({ api_key: z.string().describe('The key itself. It is not kept and never shown again.') })
  .meta({ id: 'NewApiKey' })

/** What is held: the most exact of these that is given, or everything at the bank. */
const heldThing = {
  organization_id: organizationId
    .optional()
    .describe('Alone: the whole organization. None at all: the bank.'),
  iban: line(80).optional().describe('An account of that organization.'),
  bulk_id: z.guid().optional().describe('A bulk of that organization.')
}

export const newHold = z
  .strictObject({ ...heldThing, reason: line(400).describe('Why, for whoever looks.') })
  .meta({ examples: [{ organization_id: 7, reason: 'Key may be stolen' }] })
export const releasedHold = z.strictObject(heldThing).meta({ examples: [{ organization_id: 7 }] })

export const hold = z
  .object({
    hold_no: z.int(),
    organization_id: z.int().nullable(),
    iban: z.string().nullable(),
    bulk_id: bulk.shape.bulk_id.nullable(),
    cause: z
      .enum(['order', 'payees'])
      .describe('order: an operator ends it; payees: the payer does, by confirming them.'),
    reason: z.string(),
    held_by: z.string(),
    held_at: time
  })
  .meta({ id: 'Hold' })
