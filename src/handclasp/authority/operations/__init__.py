"""Operations: run step by step under a lease, taken up after a crash, retried by a schedule."""
