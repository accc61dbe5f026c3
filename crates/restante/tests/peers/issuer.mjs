// An OAuth authorisation server: signed tokens (JWT) for the resource urn:mail, opaque ones
// without it, both with the client's own id as the user's name. It says its address when it is
// ready. Arguments: the folder with its certificate, and where the provider's package lies.
import fs from 'node:fs';
import https from 'node:https';
import { generateKeyPairSync } from 'node:crypto';

const [folder, packages] = process.argv.slice(2);
const { default: Provider } = await import(`${packages}/oidc-provider/lib/index.js`);
const server = https.createServer({
  cert: fs.readFileSync(`${folder}/issuer.pem`),
  key: fs.readFileSync(`${folder}/issuer.key`),
});
server.listen(0, '127.0.0.1', () => {
  const issuer = `https://localhost:${server.address().port}`;
  const client = (id) => ({
    client_id: id,
    client_secret: `${id}'s secret`,
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
    id_token_signed_response_alg: 'ES256',
  });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { ...privateKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'ES256' };
  const mail = {
    scope: 'pop',
    audience: 'mail',
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256' } },
  };
  const provider = new Provider(issuer, {
    clients: ['alice', 'mallory', 'pop'].map(client),
    jwks: { keys: [key] },
    extraTokenClaims: (_, token) => ({ username: token.clientId }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: { enabled: true, getResourceServerInfo: () => mail },
    },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
