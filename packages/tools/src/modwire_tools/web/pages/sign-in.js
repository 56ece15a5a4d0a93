// Takes the token from the form or the link, and exchanges it for the cookie.

const problem = document.getElementById("problem");
const input = document.getElementById("token");

async function signIn(token) {
  problem.textContent = "";
  const response = await fetch(new URL("../api/session", import.meta.url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  }).catch(() => null);
  if (response?.ok) {
    location.reload();
    return;
  }
  const answer = response === null ? {} : await response.json().catch(() => ({}));
  problem.textContent = answer.error || "the server does not answer";
  input.focus();
  input.select();
}

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(input.value.trim());
});

// #token=... is used once and removed from the address.
const given = /[#&]token=([^&]+)/.exec(location.hash);
if (given === null) input.focus();
else {
  history.replaceState(null, "", location.pathname);
  signIn(decodeURIComponent(given[1]));
}
