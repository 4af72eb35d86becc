import { Command } from 'commander'
import { addAdministration } from './cli/administration.ts'
import { demo } from './cli/demo.ts'
import { doctorCommand } from './cli/doctor.ts'
import { incidentsCommand } from './cli/incidents.ts'
import { migrateCommand } from './cli/migrate.ts'
import { resolveCommand, resolveIncidentCommand } from './cli/resolve.ts'
import { sandboxBank } from './cli/sandbox-bank.ts'
import { start } from './cli/start.ts'
import { UsageError } from './cli/usage-error.ts'
import { verifyCommand } from './cli/verify.ts'

const program = new Command('bulkhead').description('Bulk credit transfer engine')

program
  .command('start', { isDefault: true })
  .description('run the API, the workers and whatever they need')
  .option('--manual', 'pause the workers; GET /internal/jobs/transfer executes one transfer at a time')
  .action(async (options: { manual?: boolean }) => {
    await start({ manual: options.manual ?? false })
  })
program
  .command('verify')
  .description('prove the invariants from the database and the log of the bank')
  .action(verifyCommand)
program
  .command('demo')
  .description('submit a payroll of 1000 to the running server and watch it')
  .option('--count <number>', 'number of transfers', '1000')
  .action(async (options: { count: string }) => {
    await demo(Number(options.count))
  })
program
  .command('resolve')
  .description('end a transfer whose outcome the bank does not tell, by evidence')
  .argument('<transfer_id>')
  .option('--status <status>', 'EXECUTED or FAILED (required)')
  .option('--reason <code>', 'ISO 20022 reason code of a failure')
  .option('--operator <name>', 'who decides (required)')
  .option('--evidence <text>', 'how it is known (required)')
  .action(resolveCommand)
addAdministration(program)
program
  .command('doctor')
  .description('examine settings, database, bank, broker, clock and books, and say what to do')
  .option('--json', 'as JSON')
  .action(doctorCommand)
program.command('incidents').description('list every open incident').action(incidentsCommand)
program
  .command('resolve-incident')
  .description('end an incident that does not end by itself, once somebody has looked into it')
  .argument('<incident_no>')
  .option('--operator <name>', 'who decides (required)')
  .option('--evidence <text>', 'what was found (required)')
  .action(resolveIncidentCommand)
program.command('migrate').description('bring the schema of DATABASE_URL up to date').action(migrateCommand)
program.command('sandbox-bank').description('run the sandbox bank alone').action(sandboxBank)

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 2
}
