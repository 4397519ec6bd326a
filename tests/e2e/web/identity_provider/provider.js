// A certified OpenID Connect provider: node provider.js PORTAL_URL PEOPLE_JSON, which is read anew for each sign-in.
// Prints its issuer. Any password is right; the sign-in name is the subject.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [portal, people] = process.argv.slice(2);
const server = createServer();

server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "hpc-portal",
        client_secret: "a secret of the tests, not of anybody",
        redirect_uris: [`${portal}/sign-in/identity/back`],
        backchannel_logout_uri: `${portal}/sign-in/identity/logout`,
        backchannel_logout_session_required: true,
      },
    ],
    claims: {
      openid: ["sub", "groups"],
      profile: ["name", "preferred_username"],
      email: ["email", "email_verified"],
    },
    features: { backchannelLogout: { enabled: true } },
    pkce: { required: () => true },
    // Its own defence against addresses of this machine would keep it from telling the portal of a log-out.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    cookies: { keys: ["of the tests"] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...JSON.parse(readFileSync(people, "utf8"))[id] }),
    }),
  });
  provider.on("backchannel.error", (_context, error) => console.error("backchannel", error));
  provider.on("server_error", (_context, error) => console.error("server", error));
  server.on("request", provider.callback());
  console.log(issuer);
});
