import type { Context } from '../../context.ts'
import { setPolicies } from '../../organizations/organizations.ts'
import { originOf } from '../acting.ts'
import { ofOrganization, organization, payeePolicy, validationPolicy } from '../admin-schemas.ts'
import type { Server } from '../server-type.ts'
import { requireOrganization } from './admin.ts'

const config = { scope: 'operator' } as const
const schema = {
  tags: ['operator'],
  params: ofOrganization,
  response: { 200: organization }
}

/** How the bulks of an organization are checked. */
export function organizationPolicyRoutes(server: Server, context: Context): void {
  server.put(
    '/admin/organizations/:organization_id/payee-check',
    {
      config,
      schema: {
        ...schema,
        operationId: 'set_payee_policy',
        summary: 'Set what becomes of bulks with payees who do not match',
        body: payeePolicy
      }
    },
    async (request) => {
      const { organization_id } = request.params
      await setPolicies(context.db, organization_id, request.body, originOf(request))
      return requireOrganization(context, organization_id)
    }
  )
  server.put(
    '/admin/organizations/:organization_id/validation',
    {
      config,
      schema: {
        ...schema,
        operationId: 'set_validation_policy',
        summary: 'Set how strictly the IBANs and BICs of bulks are checked',
        body: validationPolicy
      }
    },
    async (request) => {
      const { organization_id } = request.params
      await setPolicies(context.db, organization_id, request.body, originOf(request))
      return requireOrganization(context, organization_id)
    }
  )
}
