import { listOpenIncidents } from '../incidents/incidents.ts'
import { withDatabase } from './with-database.ts'

/** Prints every open incident, also those that belong to no organization, for whoever runs the installation. */
export async function incidentsCommand(): Promise<void> {
  await withDatabase(async ({ db }) => {
    const incidents = await listOpenIncidents(db, {})
    for (const { incident_no, opened_at, kind, subject, details } of incidents)
      process.stdout.write(
        `${incident_no}  ${opened_at.toISOString()}  ${kind}\n    ${subject}\n    ${details}\n`
      )
    const count = incidents.length === 1 ? '1 open incident' : `${incidents.length} open incidents`
    process.stdout.write(`${count}${incidents.length === 1000 ? ' or more' : ''}\n`)
  })
}
