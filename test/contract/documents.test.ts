import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'

const root = path.join(import.meta.dirname, '../..')
const documents = ['.', 'docs', 'docs/runbooks', '.github']
  .filter((folder) => existsSync(path.join(root, folder)))
  .flatMap((folder) => readdirSync(path.join(root, folder)).map((name) => path.join(folder, name)))
  .filter((file) => file.endsWith('.md'))
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')

describe('the documents', () => {
  it('have no link that leads nowhere', () => {
    assert.ok(documents.length > 30, `${documents.length} documents`)
    assert.deepEqual(documents.flatMap(deadLinks), [])
  })

  it('are all in the index, but for those that lie beside it', () => {
    const index = read('docs/README.md')
    const inDocs = documents.filter((file) => /^docs\/[^/]+\.md$/.test(file) && file !== 'docs/README.md')
    assert.deepEqual(
      inDocs.filter((file) => !index.includes(`](${path.basename(file)})`)),
      []
    )
  })

  it('name no npm script that does not exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const named = documents.flatMap((file) =>
      [...read(file).matchAll(/\bnpm run ([\w:]+)/g)].map(([, script = '']) => `${file}: ${script}`)
    )
    assert.ok(named.length > 5)
    assert.deepEqual(
      named.filter((name) => !Object.hasOwn(scripts, name.split(': ')[1] ?? '')),
      []
    )
  })
})

function deadLinks(file: string): string[] {
  const links = [...withoutCode(read(file)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  return links
    .filter((target) => !/^[a-z]+:/.test(target) && !leads(file, target))
    .map((target) => `${file}: ${target}`)
}

function leads(from: string, target: string): boolean {
  const [file = '', heading] = target.split('#')
  const to = file === '' ? from : path.join(path.dirname(from), decodeURI(file))
  if (!existsSync(path.join(root, to))) return false
  return heading === undefined || headingsOf(to).includes(heading)
}

/** As GitHub makes them: small, without marks, hyphens for spaces. */
function headingsOf(file: string): string[] {
  return [...withoutCode(read(file)).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
  )
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```.*?^```/gms, '')
}
