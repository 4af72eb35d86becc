import { demoOrganization } from '../organizations/demo-organization.ts'
import type { Settings } from '../settings.ts'
import { exampleBulk } from '../transfers/bulk-request.ts'

/** What a person sees when everything is up: where things are, and a request that works as it stands. */
export function welcome(up: { url: string; bankUrl: string; settings: Settings; manual: boolean }): string {
  const body = { ...exampleBulk, request_id: crypto.randomUUID() }
  const lines = [
    '',
    `Bulkhead is ready at ${up.url} (demo mode: calls without credentials act for ${demoOrganization.name})`,
    `  API docs   ${up.url}/docs`,
    `  Bank       ${up.bankUrl}`,
    ...(up.settings.DATABASE_URL === undefined
      ? [
          `  Database   embedded PostgreSQL in ${up.settings.DATA_DIR}, for trying out; set DATABASE_URL in production`
        ]
      : []),
    ...(up.manual
      ? [`  Manual     workers are paused; GET ${up.url}/internal/jobs/transfer executes one transfer`]
      : []),
    '',
    'Pay someone:',
    `  curl -X POST ${up.url}/transfers/bulk -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`,
    'Watch it:',
    `  curl ${up.url}/transfers/bulk/${body.request_id}/status`,
    'Pay a thousand people, and prove it:',
    '  npm run demo',
    ''
  ]
  return lines.join('\n')
}
