import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import path from 'node:path'
import { it } from 'node:test'
import { setPolicies } from '../../src/organizations/organizations.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const main = path.join(import.meta.dirname, '../../src/main.ts')

it('the demo says that its bulk is held, and how it goes on', async () => {
  const database = await createTestDatabase()
  const { url, organizationId } = await listen(createTestContext(database))
  // Nobody is there to be asked, which is a reason to hold.
  await setPolicies(database.db, organizationId, { payee_check: 'hold' }, { actor: 'Ada', trace_id: null })
  const child = spawn(process.execPath, [main, 'demo', '--count', '2'], {
    env: { ...process.env, HOST: '127.0.0.1', PORT: new URL(url).port, DATABASE_URL: database.url },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let output = ''
  for await (const part of child.stdout) {
    output += String(part)
    if (/Held: /.test(output)) break
  }
  child.kill()
  assert.match(output, /^It is held, .+ curl -X POST \S+\/release\. Otherwise .+ hold list$/m)
  assert.match(output, /^ {2}Held: nothing more is sent until it is released\.$/m)
})
