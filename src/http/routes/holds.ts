import { z } from 'zod'
import { findAccountId } from '../../accounts/manage-account.ts'
import type { Context } from '../../context.ts'
import { Problem } from '../../domain/problem.ts'
import { findBulkNo, listHolds, placeHold, releaseHold, type Held } from '../../execution/hold.ts'
import { readOrganization } from '../../organizations/organizations.ts'
import { originOf } from '../acting.ts'
import { hold, newHold, releasedHold } from '../admin-schemas.ts'
import { listOf } from '../schemas.ts'
import type { Server } from '../server-type.ts'

const config = { scope: 'operator' } as const
const tags = ['operator']

/** The switches that stop payments of a bulk, an account, an organization, or all of them at the bank. */
export function holdRoutes(server: Server, context: Context): void {
  listRoute(server, context)
  server.post(
    '/admin/holds',
    {
      config: { ...config, refuses: ['not-found', 'conflict'] },
      schema: {
        operationId: 'place_hold',
        tags,
        summary: 'Hold a bulk, an account, an organization, or everything',
        description:
          'From the answer on nothing is sent that no worker has claimed yet, and of accounts and organizations nothing more is accepted. What may have been sent is asked about, and not sent again.',
        body: newHold,
        response: {
          201: z.object({ waiting: z.int().describe('Transfers that wait for the release.') })
        }
      }
    },
    async (request, reply) => {
      const { reason, ...thing } = request.body
      const by = { ...originOf(request), reason }
      const placed = await placeHold(context.db, await findHeld(context, thing), by)
      if (placed === null) throw new Problem({ reason: 'conflict', details: 'This is held already.' })
      return reply.code(201).send(placed)
    }
  )
  server.post(
    '/admin/holds/release',
    {
      config: { ...config, refuses: ['not-found', 'conflict'] },
      schema: {
        operationId: 'release_hold',
        tags,
        summary: 'Release what was held; it goes on at once',
        body: releasedHold,
        response: {
          200: z.object({ resumed: z.int().describe('Transfers that go on.') })
        }
      }
    },
    async (request) => {
      const held = await findHeld(context, request.body)
      const released = await releaseHold(context.db, held, originOf(request))
      if (released === null) throw new Problem({ reason: 'conflict', details: 'This is not held.' })
      return released
    }
  )
}

function listRoute(server: Server, context: Context): void {
  server.get(
    '/admin/holds',
    {
      config,
      schema: {
        operationId: 'list_holds',
        tags,
        summary: 'What is held now',
        response: { 200: listOf(hold) }
      }
    },
    async () => ({ data: await listHolds(context.db), has_more: false, next_cursor: null })
  )
}

type Thing = z.infer<typeof releasedHold>

/** The thing that is named, or what is wrong with its name. */
async function findHeld(context: Context, { organization_id, iban, bulk_id }: Thing): Promise<Held> {
  if (organization_id === undefined) {
    if (iban === undefined && bulk_id === undefined)
      return { organization_id: null, account_id: null, bulk_no: null }
    throw new Problem({
      reason: 'invalid-request',
      details: '/organization_id: Say whose account or bulk it is.'
    })
  }
  if ((await readOrganization(context.db, organization_id)) === null)
    throw new Problem({ reason: 'not-found', details: 'There is no organization with this organization_id.' })
  if (iban !== undefined && bulk_id !== undefined)
    throw new Problem({
      reason: 'invalid-request',
      details: '/bulk_id: Name an account or a bulk, not both.'
    })
  const account_id = iban === undefined ? null : await findAccountId(context.db, organization_id, iban)
  const bulk_no = bulk_id === undefined ? null : await findBulkNo(context.db, organization_id, bulk_id)
  if ((iban !== undefined && account_id === null) || (bulk_id !== undefined && bulk_no === null))
    throw new Problem({ reason: 'not-found', details: 'The organization has no such account or bulk.' })
  return { organization_id, account_id, bulk_no }
}
