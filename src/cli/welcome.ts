import { demoOrganization } from '../organizations/demo-organization.ts'
import type { Settings } from '../settings.ts'
import { exampleBulk } from '../transfers/bulk-request.ts'

/** What a person sees when everything is up: where things are, and a request that works as it stands. */
export function welcome(up: { url: string; bankUrl: string; settings: Settings; manual: boolean }): string {
  const lines = [
    '',
    `Bulkhead is ready at ${up.url} (${up.settings.MODE} mode: ${meaningOf[up.settings.MODE]})`,
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
    ...(up.settings.MODE === 'demo' ? tryOut(up.url) : makeKeys),
    ''
  ]
  return lines.join('\n')
}

const meaningOf: Record<Settings['MODE'], string> = {
  demo: `calls without credentials act for ${demoOrganization.name}`,
  test: 'every call needs a key that begins with bh_test_',
  live: 'every call needs a key that begins with bh_live_'
}

const makeKeys = ['Make an organization, an account and a key:', '  npm run bulkhead -- key create --help']

function tryOut(url: string): string[] {
  const body = { ...exampleBulk, request_id: crypto.randomUUID() }
  return [
    'Pay someone:',
    `  curl -X POST ${url}/transfers/bulk -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`,
    'Watch it:',
    `  curl ${url}/transfers/bulk/${body.request_id}/status`,
    'Pay a thousand people, and prove it:',
    '  npm run demo'
  ]
}
