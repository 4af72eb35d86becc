import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { listen } from '../support/api.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { aKey, bearer } from '../support/keys.ts'
import type { Settings } from '../../src/settings.ts'

/** The API as it runs in production, with two organizations that know nothing of each other; each has a bulk. */
export async function twoOrganizations(settings: Partial<Settings> = {}) {
  const database = await createTestDatabase()
  const context = createTestContext(database, { MODE: 'test', ...settings })
  const [mine, other] = [await anOrganization(database.db), await anOrganization(database.db)]
  const api = await listen(context, { organizationId: mine, demo: false })
  const own = bearer(await aKey(database, mine))
  const theirs = bearer(await aKey(database, other))
  const bulk = aBulk({ transfers: 2, amount: '0.01' })
  await api.post('/transfers/bulk', bulk, theirs)
  const { body } = await api.ask(`/transfers/bulk/${bulk.request_id}/transfers`, { headers: theirs })
  const transferId = String(body.data[0].transfer_id)
  return { ...api, database, context, mine, other, own, theirs, bulk, transferId }
}
