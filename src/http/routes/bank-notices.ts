import { validatorCompiler } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { callback, isFromBank, readCallback } from '../../banking/bank-notice.ts'
import type { Context } from '../../context.ts'
import { Problem } from '../../domain/problem.ts'
import { receiveNotices } from '../../execution/notices.ts'
import type { Server } from '../server-type.ts'

const taken = z.object({
  kept: z.int().describe('Notices that were kept, now or before.'),
  unknown_payments: z.array(z.string()).describe('References that are none of ours.'),
  different_payments: z
    .array(z.string())
    .describe('References of ours with another amount, currency or payee.')
})

/** Where the bank tells by itself what became of payments. Signed over the raw body, so it is read as it came. */
export async function bankNoticeRoutes(server: Server, context: Context): Promise<void> {
  await server.register((scope: Server, _, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, parsed) => {
      parsed(null, body)
    })
    scope.post(
      '/bank/notices',
      {
        config: {
          scope: 'public',
          refuses: [
            'unauthorized',
            'payload-too-large',
            'unsupported-media-type',
            'invalid-request',
            'unavailable'
          ]
        },
        schema: {
          operationId: 'take_bank_notices',
          tags: ['bank'],
          summary: 'The bank tells results and returns by itself',
          description:
            'Signed with BANK_CALLBACK_SECRET: `bank-signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`. The same notice may come any number of times and in any order; what is kept is durable.',
          headers: z.object({ 'bank-signature': z.string().optional() }),
          body: callback,
          response: { 200: taken }
        },
        // The body stays as it came: what is not signed is refused before it is read.
        validatorCompiler: (part) =>
          part.httpPart === 'body' ? (value: unknown) => ({ value }) : validatorCompiler(part as never)
      },
      async (request) => {
        const body = (request.body as unknown as Buffer | undefined) ?? Buffer.alloc(0)
        const signature = request.headers['bank-signature']
        const { BANK_CALLBACK_SECRET: secret } = context.settings
        if (secret === undefined || !isFromBank({ signature, body }, secret, context.clock.nowMs()))
          throw new Problem({ reason: 'unauthorized', details: 'This call is not signed by the bank.' })
        const notices = readCallback(body)
        if (notices === null)
          throw new Problem({ reason: 'invalid-request', details: 'The body is not a list of notices.' })
        const receipts = await receiveNotices(context, notices, 'callback')
        const references = (verdict: string) =>
          receipts.filter((receipt) => receipt.verdict === verdict).map(({ notice }) => notice.reference)
        const answer = {
          kept: references('kept').length,
          unknown_payments: references('unknown-payment'),
          different_payments: references('different-payment')
        }
        if (answer.kept < receipts.length) {
          const { kept, unknown_payments, different_payments } = answer
          // The references of the others are whatever was sent, which may be anybody's name.
          const told = { kept, unknown_payments: unknown_payments.length, different_payments }
          request.log.warn(told, 'the bank told of payments that are none of ours, or not as it tells them')
        }
        return answer
      }
    )
    done()
  })
}
