"""The zoo: odd devices as scripts, which every client, a gateway and the command are tried on."""
