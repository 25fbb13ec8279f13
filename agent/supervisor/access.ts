// How the Supervisor is reached.
import type { SupervisorAccess } from './client.ts'

/** As it tells its apps in their environment; undefined outside of one. `SUPERVISOR_URL` is for tests. */
export function supervisorAccess(env: NodeJS.ProcessEnv): SupervisorAccess | undefined {
  const { SUPERVISOR_TOKEN: token = '', SUPERVISOR_URL: url = 'http://supervisor' } = env
  return token === '' ? undefined : { url: url.replace(/\/+$/, ''), token }
}
