import { z } from 'zod'
import { Option } from 'commander'
import type { Database } from '../database/database.ts'
import { readOrganization } from '../organizations/organizations.ts'
import { UsageError } from './usage-error.ts'

/** Which organization a command is about. */
export const organizationOption = () =>
  new Option('--organization <number>', 'organization_id').argParser(readWholeNumber).makeOptionMandatory()

/** Refuses a command about an organization that is not there. */
export async function requireOrganization(db: Database, organizationId: number): Promise<void> {
  if ((await readOrganization(db, organizationId)) === null)
    throw new UsageError(`There is no organization ${organizationId}; bulkhead organization list shows them.`)
}

/** The number that an option says. */
export function readWholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${text} is no whole number.`)
  return Number(text)
}

/** One line of JSON. */
export function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** A label, a reason or a name: who reads it later has to learn something. */
export function readText(text: string): string {
  if (text.trim() === '') throw new UsageError('A name, a label or a reason is empty.')
  return text
}

/** A bulk_id of an option. */
export function readBulkId(text: string): string {
  if (!z.guid().safeParse(text).success) throw new UsageError(`${text} is no bulk_id: that is a UUID.`)
  return text
}
