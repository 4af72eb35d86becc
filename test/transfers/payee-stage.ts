import { ownOrigin } from '../../src/context.ts'
import { setPolicies } from '../../src/organizations/organizations.ts'
import assert from 'node:assert/strict'
import { type PayeePolicy } from '../../src/organizations/validation-profile.ts'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'
import { submitBulk, type Submission } from '../../src/transfers/submit-bulk.ts'
import { createStage } from '../execution/stage.ts'
import { aBulk, anOrganization, aTransfer } from '../support/builders.ts'
import { createScriptedPayees } from '../support/scripted-payees.ts'

/** A stage on which payees can be asked about. */
export async function createPayeeStage() {
  const stage = await createStage()
  const { db, open } = stage
  /** An organization with a policy, and a world in which payees can be asked about. */
  async function arrange(policy: PayeePolicy = 'warn') {
    const payeeCheck = createScriptedPayees()
    const context = { ...(await open()), payeeCheck }
    const organizationId = await anOrganization(db)
    await setPolicies(db, organizationId, { payee_check: policy }, ownOrigin)
    const submit = (body: BulkRequest) => submitBulk(context, organizationId, body)
    return { context, organizationId, payeeCheck, submit }
  }

  return { ...stage, arrange }
}

/** A bulk that pays payees of these names. */
export const aBulkTo = (names: string[], change: Partial<BulkRequest> = {}) =>
  aBulk({
    duplicate_check: 'off',
    credit_transfers: names.map((counterparty_name, nr) =>
      aTransfer({ amount: '1', counterparty_name, client_transfer_id: `T${nr}` })
    ),
    ...change
  })

export const everyResult = ['match', 'close-match', 'no-match', 'not-possible']

/** What an accepted bulk was answered with. */
export function accepted(submission: Submission) {
  assert.notEqual(submission.outcome, 'refused', JSON.stringify(submission))
  return submission.outcome === 'refused' ? assert.fail() : submission.acceptance
}
