import { deposit } from '../../accounts/deposit.ts'
import type { Context } from '../../context.ts'
import { parseAmount } from '../../domain/money.ts'
import { Problem } from '../../domain/problem.ts'
import { originOf } from '../acting.ts'
import { newDeposit, ofAccount, shownDeposit } from '../admin-schemas.ts'
import type { Server } from '../server-type.ts'

/** Money that is added to an account after its opening. */
export function depositRoute(server: Server, context: Context): void {
  server.post(
    '/admin/organizations/:organization_id/accounts/:iban/deposits',
    {
      config: { scope: 'operator', refuses: ['unknown-account', 'conflict'] },
      schema: {
        operationId: 'deposit',
        tags: ['operator'],
        summary: 'Add money to an account, once for each reference',
        description:
          'A double entry, and a line of the account. The same again is answered with the first answer and `Idempotent-Replayed: true`; another amount under the same reference is refused.',
        params: ofAccount,
        body: newDeposit,
        response: { 201: shownDeposit }
      }
    },
    async (request, reply) => {
      const { reference } = request.body
      const parsed = parseAmount(request.body.amount, 'EUR')
      const amount_minor = parsed.outcome === 'ok' ? parsed.amount_minor : 0n
      const wanted = { ...request.params, reference, amount_minor }
      const done = await deposit(context.db, wanted, originOf(request))
      switch (done.outcome) {
        case 'already-done':
          return reply.code(201).header('idempotent-replayed', 'true').send(done.deposit)
        case 'deposited':
          return reply.code(201).send(done.deposit)
        case 'done-differently':
          throw conflict(
            `/reference: There is a deposit of ${done.amount} EUR under it; choose another reference.`
          )
        case 'closed':
          throw conflict('The account is closed; nothing can be added to it.')
        case 'unknown-account':
          throw new Problem({
            reason: 'unknown-account',
            details: 'The organization has no account with this IBAN.'
          })
      }
    }
  )
}

function conflict(details: string): Problem {
  return new Problem({ reason: 'conflict', details })
}
