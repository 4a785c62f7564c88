<?php
// A page to start from: it shows that the farm serves, and who served it.
declare(strict_types=1);

$server = htmlspecialchars((string) gethostname(), ENT_QUOTES);
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>The farm serves</title>
<h1>The farm serves</h1>
<p>This page comes from <?= $server ?>. Put your site in this folder, then <code>stillup release</code>.</p>
</html>
