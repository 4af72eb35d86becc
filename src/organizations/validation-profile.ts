import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'

/**
 * off: nobody is asked; warn: whatever is no match is told, and paid; hold: and the bulk waits until the payer confirms
 * it. The default is warn. In the euro area the payer's bank owes the payer this check and its result before the
 * payment is authorised (Regulation (EU) No 260/2012, Article 5c, as amended by Regulation (EU) 2024/886), so that off
 * would be wrong; but the decision stays the payer's, so that hold is a wish and not a default.
 */
export const payeePolicies = ['off', 'warn', 'hold'] as const
export type PayeePolicy = (typeof payeePolicies)[number]

/** strict refuses IBANs and BICs that can't be right; lenient accepts them with a warning. */
export const validationPolicies = ['strict', 'lenient'] as const
export type ValidationPolicy = (typeof validationPolicies)[number]

interface ValidationProfile {
  validation: ValidationPolicy
  payee_check: PayeePolicy
}

const selectValidation = statement(
  'select-validation',
  { organization_id: 'int4' },
  { validation: 'text', payee_check: 'text' },
  `select validation, payee_check from organization where organization_id = :organization_id`
)

/** How an organization wants its bulks to be checked. */
export async function readValidationProfile(tx: Tx, organizationId: number): Promise<ValidationProfile> {
  const [row] = await selectValidation(tx, { organization_id: organizationId })
  return {
    validation: row?.validation === 'lenient' ? 'lenient' : 'strict',
    payee_check: payeePolicies.find((policy) => policy === row?.payee_check) ?? 'hold'
  }
}
