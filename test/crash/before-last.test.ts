import { describeCrashes } from './enumerate.ts'

await describeCrashes('before', 'last')
