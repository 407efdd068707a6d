(function(){
	'use strict';
	var table=document.getElementById('items');
	if(!table||!table.tBodies.length)return;
	var body=table.tBodies[0],rows=Array.prototype.slice.call(body.rows);
	var heads=table.tHead.rows[0].cells;
	function key(row,i){
		var cell=row.cells[i],value=cell.getAttribute('data-v');
		return value===null?cell.textContent:Number(value);
	}
	Array.prototype.forEach.call(heads,function(head,i){
		var button=document.createElement('button'),up=false;
		button.type='button';
		button.textContent=head.textContent;
		head.textContent='';
		head.appendChild(button);
		button.addEventListener('click',function(){
			up=!up;
			rows.sort(function(a,b){
				var x=key(a,i),y=key(b,i);
				return (x<y?-1:x>y?1:0)*(up?1:-1);
			});
			rows.forEach(function(row){body.appendChild(row);});
			Array.prototype.forEach.call(heads,function(h){h.removeAttribute('aria-sort');});
			head.setAttribute('aria-sort',up?'ascending':'descending');
		});
	});
	var field=document.createElement('input');
	field.type='search';
	field.placeholder='show only rows with ...';
	field.setAttribute('aria-label','show only rows that contain this text');
	field.addEventListener('input',function(){
		var want=field.value.toLowerCase();
		rows.forEach(function(row){
			row.hidden=row.textContent.toLowerCase().indexOf(want)<0;
		});
	});
	table.parentNode.insertBefore(field,table);
})();
