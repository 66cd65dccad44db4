"""From files to batches: manifests, readers, splits, checks, datasets.

None of its modules is imported here, so that manifests can be used without torch.
"""

import os

# Arrow's own pool, where pandas has Arrow, keeps what reading a large table took. Set here, since
# pandas reads it when it is first imported.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
