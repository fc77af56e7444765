"""A folder on a computer that is reached by SSH (SFTP version 3, with the extensions of OpenSSH where offered)."""
